# SPDX-License-Identifier: Apache-2.0
"""The authority's interface and its description are one: every rule is described, every answer is as described."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from ca.incidents.service import OPERATOR
from ca.models import Issued
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.identity import HEADER
from tests.ca.incidents.house import plan
from tests.fakes.people import CITIZEN, OFFICER

from .conftest import founded
from .sites import SECRETS, Site, open_site, release_policies
from .world import Born, ask, loaded, request_for

EXAMPLES = 20
# Valid by its shape and wrong all the same: a serial nobody used, a request that is no PKCS #10.
UNCHECKED = [ignored_auth, positive_data_acceptance]
PAGES = ("ca.", "ca_direct.", "ca_enrolments.", "ca_grants.", "ca_inventory.", "ca_notices.", "ca_own.", "ca_units.")
# Protocols that are described by their standards: RFC 8555, RFC 7030 and RFC 3161.
PROTOCOLS = ("ca_acme", "ca_est", "ca_timestamps")
OFFICERS = ("searchInventory", "readHeld", "exportInventory", "readHolder")
"""Operations for officers, whom the gateway names; everything else is for roles."""
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
    """The application behind a gateway that knows one officer and says so of each request by its very address."""
    name = "HTTP_" + HEADER.upper().replace("-", "_")

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get(name) == "an officer":
            query = environ.get("QUERY_STRING")
            path = environ.get("REQUEST_URI") or environ["PATH_INFO"] + (f"?{query}" if query else "")
            environ[name] = site.identity(environ["REQUEST_METHOD"], path, roles=frozenset({"ra-officer"}))
        return site.app.wsgi_app(environ, start_response)

    return wrapped


def _credentials(name: str) -> dict[str, str]:
    return {HEADER: "an officer"} if name in OFFICERS else APP


def _operations(site: Site) -> dict[str, Any]:
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


def _incident(site: Site, *verbs: str) -> dict[str, Any]:
    made = site.incidents.preview(plan(holder=_made(site) and CITIZEN.subject), by=OPERATOR)
    if "propose" in verbs:
        made = site.incidents.propose(made.id, by=OPERATOR, digest=made.digest)
    if "approve" in verbs:
        made = site.incidents.approve(made.id, by=OFFICER.subject, digest=made.digest)
    if "pause" in verbs:
        site.incidents.pause(made.id, by=OPERATOR)
    body = {} if verbs else {"digest": made.digest}
    return {"path_parameters": {"incident": made.id}, "body": body, "media_type": "application/json"}


def _shown(site: Site) -> dict[str, Any]:
    return {"path_parameters": _incident(site)["path_parameters"]}


def _wish() -> dict[str, Any]:
    csr = base64.b64encode(request_for()).decode()
    own = {"actor": "role:app", "hosts": [], "issuer": ""}
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
    "searchInventory": lambda *_: {"query": {"profile": "citizen", "expires_from": "2026-01-01", "limit": 5}},
    "readHeld": lambda site, _: _made(site),
    "exportInventory": lambda *_: {"path_parameters": {"form": "csv"}, "query": {"state": "good"}},
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
    "revoke": lambda site, _: {**_made(site), "body": {"reason": "superseded"}, "media_type": "application/json"},
}


def test_every_rule_for_programs_is_described_and_nothing_else(site: Site) -> None:
    own = [rule for rule in site.app.url_map.iter_rules() if rule.endpoint.startswith("ca")]
    served = {
        (re.sub(r"<(?:[^<>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in own
        if not rule.endpoint.startswith(PAGES + PROTOCOLS)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    paths = site.client().get("/api/v1/openapi.json").get_json()["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == served


def test_every_operation_is_tried(site: Site) -> None:
    assert set(_operations(site)) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_who_may_call_is_described_as_it_is(site: Site, issued: Issued, name: str) -> None:
    operation = _operations(site)[name]
    answer = operation.Case(**GOOD[name](site, issued)).call()
    assert answer.status_code == (401 if "security" in operation.definition.raw else 200), answer.text


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_is_answered_as_described(site: Site, issued: Issued, name: str) -> None:
    case = _operations(site)[name].Case(**GOOD[name](site, issued))
    answer = case.call(headers=_credentials(name))
    assert answer.status_code == (201 if name in ("issue", "previewIncident") else 200), answer.text
    case.validate_response(answer, excluded_checks=[ignored_auth])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_is_answered_as_described(site: Site, name: str, mode: GenerationMode) -> None:
    operation = _operations(site)[name]
    if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()) and not operation.body:
        # Nothing to be got wrong.
        return

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        # What the description asks for and this request leaves out stays out.
        good = {header: value for header, value in _credentials(name).items() if header in case.headers}
        for headers in ({}, good):
            answer = case.call(headers=headers)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=UNCHECKED)

    hold()
