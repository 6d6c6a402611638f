# SPDX-License-Identifier: Apache-2.0
"""The authority's interface and its description are one: every rule is described, every answer is as described."""

import base64
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from ca.incidents.service import OPERATOR
from ca.models import Issued
from ca.openapi import registration
from ca.registration import Asked, At, Evidence, Stage, Wish
from ca.registration.bulk import Job, JobState, LineState, read_upload
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.identity import HEADER
from core.openapi import PERSON
from tests.ca.incidents.house import plan
from tests.fakes.people import CITIZEN, COMPANY, KIOSK, OFFICER

from .conftest import founded
from .sites import HOLDERS, HOST, SECRETS, Site, open_site, release_policies
from .world import Born, ask, loaded, request_for

# A run with a seed of its own (scripts/soak) tries more, and something else.
SEEDED = "TALLYGATE_SEED" in os.environ
EXAMPLES, FEW = (40, 20) if SEEDED else (12, 4)
# The same verbs and shapes again, for another caller.
AGAIN = ("AsOfficer", "AsRole")
# How often it is also asked by nobody: what then answers is the guard, which looks at no operation's own parameters.
NOBODY = 3
# Valid by its shape and wrong all the same: a serial nobody used, a request that is no PKCS #10.
UNCHECKED = [ignored_auth, positive_data_acceptance]
PAGES = (
    "ca.",
    "ca_bulk.",
    "ca_checks.",
    "ca_direct.",
    "ca_enrolments.",
    "ca_grants.",
    "ca_inventory.",
    "ca_notices.",
    "ca_overview.",
    "ca_units.",
)
# Protocols that are described by their standards: RFC 8555, RFC 7030 and RFC 3161.
PROTOCOLS = ("ca_acme", "ca_est", "ca_timestamps")
APP = {CALLER_HEADER: "app", SECRET_HEADER: base64.b64encode(SECRETS["app"]).decode()}


@schemathesis.serializer("application/ocsp-request")
def _ocsp(_context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def site(born: Born, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("described")
    with founded(born, folder) as world:
        yield open_site(world, release_policies(world, folder))


@pytest.fixture(scope="module")
def issued(site: Site) -> Issued:
    return site.authority.issue(ask())


def _gateway(site: Site) -> Callable[..., Iterable[bytes]]:
    """The role behind a gateway that knows whoever comes with a header: an officer, elsewhere a citizen."""
    name = "HTTP_" + HEADER.upper().replace("-", "_")

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if name in environ:
            holders = "/api/v1/my/" in environ["PATH_INFO"]
            query = environ.get("QUERY_STRING")
            path = environ.get("REQUEST_URI") or environ["PATH_INFO"] + (f"?{query}" if query else "")
            environ[name] = site.identity(
                environ["REQUEST_METHOD"],
                path,
                subject=CITIZEN.subject if holders else OFFICER.subject,
                roles=frozenset() if holders else frozenset({"ra-officer"}),
                host=HOLDERS if holders else HOST,
            )
        return site.app.wsgi_app(environ, start_response)

    return wrapped


def _credentials(operation: Any) -> dict[str, str]:
    """What the description says that its caller shows; a role, or somebody whom the gateway names."""
    security = operation.definition.raw.get("security", [])
    return {HEADER: "somebody"} if security == PERSON else APP


@pytest.fixture(scope="module")
def operations(site: Site) -> dict[str, Any]:
    """What is described, by its name; the description is the same whatever is issued meanwhile."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", _gateway(site))
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return {operation.definition.raw["operationId"]: operation for operation in found}


def _question(site: Site, issued: Issued) -> bytes:
    issuer = x509.load_pem_x509_certificate((site.world.site.public / "issuers" / "people.pem").read_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256())
    return builder.build().public_bytes(Encoding.DER)


def _made(site: Site) -> dict[str, Any]:
    return {"path_parameters": {"serial": site.authority.issue(ask()).serial}}


def _suspended(site: Site) -> dict[str, Any]:
    made = _made(site)
    site.authority.suspend(made["path_parameters"]["serial"], actor="x")
    return made


def _incident(site: Site, *verbs: str, by: str = OPERATOR) -> dict[str, Any]:
    made = site.incidents.preview(plan(holder=_made(site) and CITIZEN.subject), by=by)
    if "propose" in verbs:
        made = site.incidents.propose(made.id, by=OPERATOR, digest=made.digest)
    if "approve" in verbs:
        made = site.incidents.approve(made.id, by=OFFICER.subject, digest=made.digest)
    if "pause" in verbs:
        site.incidents.pause(made.id, by=OPERATOR)
    body = {} if verbs else {"digest": made.digest}
    return {"path_parameters": {"incident": made.id}, "body": body, "media_type": "application/json"}


def _proposed(site: Site) -> dict[str, Any]:
    """By the operator, so that the officer may agree."""
    found = _incident(site, "propose")
    digest = site.incidents.incident(found["path_parameters"]["incident"]).digest
    return {**found, "body": {"digest": digest}}


def _shown(site: Site) -> dict[str, Any]:
    return {"path_parameters": _incident(site)["path_parameters"]}


JSON = "application/json"


def _request(site: Site, *, proved: bool = True) -> Asked:
    made = site.registration.ask(asker=CITIZEN.subject, offer="citizen", csr=request_for())
    if proved:
        at = At(officer=OFFICER.subject, assurance=3, zone="management")
        site.registration.prove(made.id, at, evidence=Evidence.DOCUMENTS, reference="file 7")
    return made


def _about(site: Site, body: dict[str, Any], *, proved: bool = True) -> dict[str, Any]:
    """A citizen's request, one at a time: too many undecided ones are refused."""
    _decided(site)
    return {"path_parameters": {"identifier": _request(site, proved=proved).id}, "body": body, "media_type": JSON}


def _decided(site: Site) -> None:
    for each in site.registration.asked_by(CITIZEN.subject):
        if each.open:
            site.registration.withdraw(each.id, CITIZEN.subject)


def _agreed(site: Site) -> dict[str, Any]:
    about = _about(site, {})
    asked = site.registration.request(about["path_parameters"]["identifier"])
    return {**about, "body": {"digest": site.registration.preview(asked).digest}}


def _at_desk(site: Site) -> Asked:
    wish = Wish(profile="organisation-seal", csr=request_for(), subject=COMPANY.id, asker=OFFICER.subject)
    at = At(officer=OFFICER.subject, assurance=3, zone="management")
    return site.registration.ask_at_desk(wish, at, evidence=Evidence.DOCUMENTS, reference="file 7")


def _mine(site: Site) -> dict[str, Any]:
    _decided(site)
    return {"body": {"offer": "citizen", "csr": _base64(request_for())}, "media_type": JSON}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


TABLE_QUERY = {"profile": "device-client", "reference": "file 7", "name": "kiosks.csv"}


def _table() -> bytes:
    return f"device,csr\r\n{KIOSK.id},{_base64(request_for())}\r\n".encode()


def _sent(*_: object) -> dict[str, Any]:
    return {"query": TABLE_QUERY, "body": _table(), "media_type": "text/csv"}


def _job(site: Site) -> Job:
    found, _ = site.bulk.newest()
    for each in found:
        if each.state is JobState.WAITING:
            site.bulk.cancel(each.id, by="x")
    rows = read_upload(_table())
    return site.bulk.ask(rows, profile="device-client", asker=OFFICER.subject, reference="file 7", name="x.csv")


def _of_job(site: Site) -> dict[str, Any]:
    return {"path_parameters": {"identifier": _job(site).id}}


def _agreed_job(site: Site) -> dict[str, Any]:
    job = _job(site)
    return {"path_parameters": {"identifier": job.id}, "body": {"digest": job.digest}, "media_type": JSON}


def _wish() -> dict[str, Any]:
    csr = base64.b64encode(request_for()).decode()
    own = {"actor": "role:app", "hosts": [], "issuer": "", "exception": "drill"}
    return {"profile": "citizen", "csr": csr, "subject": CITIZEN.subject, **own}


# One good request for each operation; what it needs is made when it is asked for.
GOOD: dict[str, Callable[[Site, Issued], dict[str, Any]]] = {
    "askStatus": lambda site, issued: {
        "path_parameters": {"issuer": "people"},
        "body": _question(site, issued),
        "media_type": "application/ocsp-request",
    },
    "askStatusByPath": lambda site, issued: {
        "path_parameters": {"issuer": "people", "encoded": base64.b64encode(_question(site, issued)).decode()}
    },
    "readList": lambda *_: {"path_parameters": {"issuer": "root"}},
    "readShard": lambda *_: {"path_parameters": {"issuer": "people", "name": "3-delta"}},
    "readIssuer": lambda *_: {"path_parameters": {"issuer": "devices"}},
    "issue": lambda *_: {"body": _wish(), "media_type": "application/json"},
    "show": lambda site, _: _made(site),
    "status": lambda site, _: _made(site),
    "list": lambda *_: {"path_parameters": {"subject": CITIZEN.subject}},
    "suspend": lambda site, _: {**_made(site), "body": {}, "media_type": "application/json"},
    "release": lambda site, _: {**_suspended(site), "body": {"actor": ""}, "media_type": "application/json"},
    "blockKey": lambda *_: {"path_parameters": {"key": "ab" * 32}, "body": {}, "media_type": "application/json"},
    "searchInventory": lambda *_: {"query": {"profile": "citizen", "expires_from": "2026-01-01", "limit": 5}},
    "readHeld": lambda site, _: _made(site),
    "exportInventory": lambda *_: {"path_parameters": {"form": "csv"}, "query": {"state": "good"}},
    "readOverview": lambda *_: {},
    "readFindings": lambda *_: {"query": {"after": "0"}},
    "readCheck": lambda *_: {},
    "check": lambda *_: {"body": {"begin": True}, "media_type": "application/json"},
    "readHolder": lambda *_: {"path_parameters": {"subject": CITIZEN.subject}},
    "previewIncident": lambda *_: {
        "body": {"act": "renew", "profiles": ["citizen"], "text": "A key leaked.", "text_zh": "密钥泄露。"},
        "media_type": "application/json",
    },
    "listIncidents": lambda *_: {"query": {"before": 0}},
    "showIncident": lambda site, _: _shown(site),
    "listIncidentCertificates": lambda site, _: _shown(site),
    "proposeIncident": lambda site, _: _incident(site),
    "pauseIncident": lambda site, _: _incident(site, "propose", "approve"),
    "resumeIncident": lambda site, _: _incident(site, "propose", "approve", "pause"),
    "stopIncident": lambda site, _: _incident(site, "propose", "approve"),
    "withdrawIncident": lambda site, _: _incident(site, "propose"),
    "previewIncidentAsOfficer": lambda *_: {
        "body": {"act": "renew", "profiles": ["citizen"], "text": "A key leaked.", "text_zh": "密钥泄露。"},
        "media_type": "application/json",
    },
    "listIncidentsAsOfficer": lambda *_: {"query": {"before": 0}},
    "showIncidentAsOfficer": lambda site, _: _shown(site),
    "listIncidentCertificatesAsOfficer": lambda site, _: _shown(site),
    "proposeIncidentAsOfficer": lambda site, _: _incident(site, by=OFFICER.subject),
    "approveIncidentAsOfficer": lambda site, _: _proposed(site),
    "pauseIncidentAsOfficer": lambda site, _: _incident(site, "propose", "approve"),
    "resumeIncidentAsOfficer": lambda site, _: _incident(site, "propose", "approve", "pause"),
    "stopIncidentAsOfficer": lambda site, _: _incident(site, "propose", "approve"),
    "withdrawIncidentAsOfficer": lambda site, _: _incident(site, "propose"),
    "revoke": lambda site, _: {**_made(site), "body": {"reason": "superseded"}, "media_type": "application/json"},
    "requests": lambda *_: {"query": {"stage": "asked", "after": "0"}},
    "ask": lambda *_: {
        "body": {
            "profile": "device-client",
            "subject": KIOSK.id,
            "csr": _base64(request_for()),
            "evidence": "documents",
            "reference": "file 7",
        },
        "media_type": JSON,
    },
    "request": lambda site, _: {"path_parameters": _about(site, {})["path_parameters"]},
    "prove": lambda site, _: _about(site, {"evidence": "face-to-face", "reference": "file 8"}, proved=False),
    "approve": lambda site, _: _agreed(site),
    "deny": lambda site, _: _about(site, {"reason": "no photograph"}),
    "withdraw": lambda site, _: {
        "path_parameters": {"identifier": _at_desk(site).id},
        "body": {},
        "media_type": JSON,
    },
    "certificates": lambda *_: {"query": {"subject": CITIZEN.subject}},
    "certificate": lambda site, _: _made(site),
    "chain": lambda site, _: _made(site),
    "end": lambda site, _: {**_made(site), "body": {"reason": "superseded"}, "media_type": JSON},
    "hold": lambda site, _: {**_made(site), "body": {}, "media_type": JSON},
    "unhold": lambda site, _: {**_suspended(site), "body": {}, "media_type": JSON},
    "sendTable": _sent,
    "sendTableAsRole": _sent,
    "tables": lambda *_: {"query": {"before": ""}},
    "table": lambda site, _: _of_job(site),
    "tableAsRole": lambda site, _: _of_job(site),
    "lines": lambda site, _: _of_job(site),
    "report": lambda site, _: _of_job(site),
    "reportAsRole": lambda site, _: _of_job(site),
    "tableCertificates": lambda site, _: _of_job(site),
    "tableCertificatesAsRole": lambda site, _: _of_job(site),
    "approveTable": lambda site, _: _agreed_job(site),
    "cancelTable": lambda site, _: {**_of_job(site), "body": {}, "media_type": JSON},
    "offers": lambda *_: {},
    "ownRequests": lambda *_: {},
    "askForOneself": lambda site, _: _mine(site),
    "ownRequest": lambda site, _: {"path_parameters": _about(site, {})["path_parameters"]},
    "withdrawOwn": lambda site, _: _about(site, {}),
}


MADE = {"issue", "previewIncident", "previewIncidentAsOfficer", "ask", "askForOneself", "sendTable", "sendTableAsRole"}


def test_what_is_enumerated_is_what_there_is() -> None:
    assert list(registration.STAGES) == list(Stage)
    assert list(registration.EVIDENCE) == list(Evidence)
    assert list(registration.TABLE_STATES) == list(JobState)
    assert list(registration.LINE_STATES) == list(LineState)


def test_every_rule_for_programs_is_described_and_nothing_else(site: Site) -> None:
    own = [rule for rule in site.app.url_map.iter_rules() if rule.endpoint.startswith("ca")]
    served = {
        (re.sub(r"<(?:[^<>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in own
        if not rule.endpoint.startswith(PAGES + PROTOCOLS)
        and not (rule.endpoint.startswith("ca_own.") and not rule.rule.startswith("/api/"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    paths = site.client().get("/api/v1/openapi.json").get_json()["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == served


def test_every_operation_is_tried(operations: dict[str, Any]) -> None:
    assert set(operations) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_who_may_call_is_described_as_it_is(site: Site, issued: Issued, operations: dict[str, Any], name: str) -> None:
    operation = operations[name]
    answer = operation.Case(**GOOD[name](site, issued)).call()
    assert answer.status_code == (401 if "security" in operation.definition.raw else 200), answer.text


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_is_answered_as_described(
    site: Site, issued: Issued, operations: dict[str, Any], name: str
) -> None:
    case = operations[name].Case(**GOOD[name](site, issued))
    answer = case.call(headers=_credentials(operations[name]))
    assert answer.status_code == (201 if name in MADE else 200), answer.text
    case.validate_response(answer, excluded_checks=[ignored_auth])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_is_answered_as_described(
    operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    operation = operations[name]
    shown = _credentials(operation)
    if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()) and not operation.body:
        # Nothing to be got wrong.
        return

    asked = itertools.count()

    @settings(
        max_examples=FEW if name.endswith(AGAIN) else EXAMPLES,
        deadline=None,
        derandomize=not SEEDED,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        # No address of ours has a line break in it, and an address that is none is told of on a page.
        assume("\n" not in "".join(map(str, case.path_parameters.values())))
        # What the description asks for and this request leaves out stays out.
        good = {header: value for header, value in shown.items() if header in case.headers}
        for headers in ({}, good) if next(asked) < NOBODY else (good,):
            answer = case.call(headers=headers)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=UNCHECKED)

    hold()
