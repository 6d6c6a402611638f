# SPDX-License-Identifier: Apache-2.0
"""Whatever an access hangs on: once the record says that it is taken away, the very next decision says no.

The feed brings the record's word within a fraction of a second (tests/audit/test_feed, tests/flows/test_taking_away);
here nothing but the word lies between a yes and a no, whether the decision is made the long way or at once in the loop,
from what is remembered.
"""

import functools
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.db import Database
from directory import Mandate
from gateway.service import News
from gateway.store import Store
from tests.gateway import test_familiar
from tests.gateway.conftest import DEVICE, SUBJECT, Gateway, certificate
from tests.gateway.test_service_decision import ask, hear

Asked = dict[str, Any]


@functools.cache
def _shown() -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate("laptop")[0])


def _pem() -> str:
    return quote(_shown().public_bytes(Encoding.PEM).decode())


def _session(unit: Gateway, mandate: str = "") -> Asked:
    held = Mandate(organisation="mill", scope="tax", until=unit.clock.now().date() + timedelta(days=9))
    unit.directory.people[SUBJECT] = unit.person(mandates=(held,))
    ends = int(unit.clock.now().timestamp()) + 3600
    return {"unverified_cookie": unit.open_session(mandate=mandate, mandate_ends=ends if mandate else 0)}


def _token(unit: Gateway, **claims: Any) -> Asked:
    return {"unverified_target": "/api/v1/me", "unverified_authorization": f"Bearer {unit.token(**claims)}"}


def _bound(unit: Gateway) -> Asked:
    digest = hashlib.sha256(_shown().public_bytes(Encoding.DER)).digest()
    x5t = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**_token(unit, cnf={"x5t#S256": x5t}), "unverified_certificate": _pem()}


def _device(_unit: Gateway) -> Asked:
    return {
        "unverified_host": "devices.city.localhost", "unverified_target": "/api/device/v1/me",
        "unverified_certificate": _pem(),
    }  # fmt: skip


ACCESSES: dict[str, Callable[[Gateway], Asked]] = {
    "session": _session,
    "for a company": lambda unit: _session(unit, "organisation:mill:tax"),
    "for a person": lambda unit: _session(unit, "person:p9:tax"),
    "token": _token,
    "token for a person": lambda unit: _token(unit, on_behalf_of={"kind": "person", "id": "p9", "service": "tax"}),
    "bound token": _bound,
    "device": _device,
    "writing": lambda unit: {**_session(unit), "unverified_method": "POST"},
}
_OF_P9 = {"subject": SUBJECT, "attributes": {"principal": "p9", "scope": "tax", "until": "2099-01-01"}}
_OURS = {"attributes": {"issuer": "devices"}}


def _robbed(unit: Gateway) -> None:
    unit.directory.people[SUBJECT] = unit.person(mandates=())


@pytest.mark.parametrize(
    ("access", "kind", "fields", "reason"),
    [
        ("session", "sso.session.ended", {"session": "sid-1"}, "login"),
        ("session", "directory.person.disabled", {"subject": SUBJECT}, "login"),
        ("session", "gateway.switch.shut", {"object": "portal=tax"}, "shut"),
        ("session", "gateway.switch.shut", {"object": "zones=external:external"}, "shut"),
        ("writing", "gateway.switch.shut", {"object": "writing"}, "shut"),
        ("for a company", "directory.mandate.withdrawn", {"subject": SUBJECT}, "login"),
        ("for a person", "directory.mandate.withdrawn", _OF_P9, "login"),
        ("for a person", "directory.person.disabled", {"subject": "p9"}, "login"),
        ("token", "sso.session.ended", {"session": "sid-1"}, "credential"),
        ("token", "sso.token.revoked", {"object": "g1"}, "credential"),
        ("token", "sso.token.ended", {"object": "t1"}, "credential"),
        ("token", "directory.person.disabled", {"subject": SUBJECT}, "credential"),
        ("token", "gateway.switch.shut", {"object": "client=tax"}, "shut"),
        ("token for a person", "directory.mandate.withdrawn", _OF_P9, "credential"),
        ("token for a person", "directory.person.disabled", {"subject": "p9"}, "credential"),
        ("bound token", "ca.certificate.revoked", _OURS, "credential"),
        ("bound token", "ca.certificate.suspended", _OURS, "credential"),
        ("device", "ca.certificate.revoked", _OURS, "disabled"),
        ("device", "ca.certificate.suspended", _OURS, "disabled"),
        ("device", "directory.device.disabled", {"subject": DEVICE}, "disabled"),
        ("device", "gateway.switch.shut", {"object": "portal=devices"}, "shut"),
    ],
)
def test_the_next_decision_says_no(unit: Gateway, access: str, kind: str, fields: Asked, reason: str) -> None:
    unit.engine.lasts = "7"
    asked = ACCESSES[access](unit)
    # Often enough that everything about them is remembered, wherever anything is.
    for _ in range(3):
        assert ask(unit, **asked).status == 204
        begun = unit.decider.begin(_question(asked))
        assert begun is None or begun.ruling.allowed
    if kind == "directory.mandate.withdrawn" and access == "for a company":
        _robbed(unit)
    serial: Asked = {"object": format(_shown().serial_number, "x")} if kind.startswith("ca.") else {}
    hear(unit, kind, index=5, **serial, **fields)
    begun = unit.decider.begin(_question(asked))
    assert begun is None or str(begun.ruling.reason) == reason
    assert ask(unit, **asked).reason == reason
    # One that starts after this has it from the table.
    started = News(store=unit.store, people=unit.people, clock=unit.clock, policies=unit.engine)
    # Of mandates for companies the directory is asked.
    assert started.taken(*unit.store.revoked()) is (access != "for a company")


def _question(asked: Asked) -> Any:
    return test_familiar.question("", **asked)


def test_another_person_of_the_directory_is_asked_about_anew(unit: Gateway) -> None:
    """A role, a clearance, a shut account: whatever changed, nobody is decided on by what they were."""
    unit.engine.lasts = "7"
    asked = _session(unit)
    for _ in range(3):
        assert ask(unit, **asked).status == 204
        unit.decider.begin(_question(asked))
    unit.directory.people[SUBJECT] = unit.person(roles=frozenset(), clearance=0, enabled=False)
    hear(unit, "directory.person.changed", index=5, subject=SUBJECT)
    assert unit.decider.begin(_question(asked)) is None
    before = len(unit.engine.asked)
    ask(unit, **asked)
    last = unit.engine.asked[before]
    assert (last.roles, last.enabled) == (frozenset(), False)


def test_a_proof_counts_once_whichever_worker_sees_it_and_after_a_kill(unit: Gateway) -> None:
    until = int(unit.clock.now().timestamp()) + 70
    another = Database.open(str(unit.database.engine.url))
    assert unit.store.take_proof("p1", until=until)
    assert not Store(another).take_proof("p1", until=until)
    assert Store(another).take_proof("p2", until=until)
    another.close()
    unit.database.close()
    assert not Store(unit.database).take_proof("p2", until=until)
