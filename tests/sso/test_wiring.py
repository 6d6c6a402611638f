# SPDX-License-Identifier: Apache-2.0
"""The role's part in a site's birth: keys, tables, clients, secrets where they belong and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.context import Context
from app.wiring import registering as wiring
from app.wiring.sso import LoginPolicy
from directory import Person
from directory.models import PersonKind
from policies import Decision, DecisionRequest
from sso.store import Store, digest
from tests.fakes.recorder import ListRecorder
from tests.fakes.sso_directory import LI, person

ROLES = {"gateway": "gateway", "tax": "portal-tax", "social": "portal-social", "documents": "portal-documents"}

SITE = """
[site]
name = "city"
domain = "city.localhost"
title = "City"
title_zh = "城市"
state = "state"

[site.ports]
external = 8443
internal = 8444
management = 8445
plain = 8080
ldaps = 8636
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "site.toml").write_text(SITE, "utf-8")
    made = Context.read(tmp_path / "site.toml")
    made.site.public.mkdir(parents=True)
    return made


def test_birth_registers_every_client_with_a_secret_only_it_knows(context: Context) -> None:
    wiring.found(context, ListRecorder())
    database = context.database("sso")
    clients = Store(database).clients
    for name, folder in ROLES.items():
        path = context.site.state / folder / "oidc.secret"
        assert path.stat().st_mode & 0o077 == 0
        client = clients.find(name)
        assert client is not None
        assert client.secret_hash == digest(path.read_text("ascii"))
        assert client.trusted is (name == "gateway")
    gateway = clients.find("gateway")
    assert gateway is not None
    assert "https://tax.city.localhost:8443/.tallygate/callback" in gateway.redirect_uris
    assert "https://documents.city.localhost:8444/.tallygate/callback" in gateway.redirect_uris
    assert "https://audit.city.localhost:8445/.tallygate/callback" in gateway.redirect_uris
    database.close()


def test_a_repeated_birth_changes_no_secret_and_no_key(context: Context) -> None:
    wiring.found(context, ListRecorder())
    before = _files(context)
    wiring.found(context, ListRecorder())
    assert _files(context) == before


def _files(context: Context) -> dict[str, bytes]:
    kept = [*context.site.state.rglob("*.secret"), *context.site.state.rglob("*.pem"), *context.site.public.rglob("*")]
    return {str(path): path.read_bytes() for path in kept if path.is_file()}


def test_a_contractors_account_is_given_codes_for_its_own_portal_alone() -> None:
    asked: list[str] = []

    class Engine:
        def decide(self, request: DecisionRequest) -> Decision:
            asked.append(request.subject)
            return Decision(allowed=True, code="allowed", reasons=("login",), step_up=None, version="1")

    policy = LoginPolicy(Engine())  # type: ignore[arg-type]  # one verb of it
    worker = person(LI, "worker", "Worker", "", kind=PersonKind.CITIZEN, proofing=2)
    bound = replace(worker, roles=frozenset({"citizen", "contractor-tax"}))
    both = replace(worker, roles=frozenset({"citizen", "contractor-tax", "contractor-social"}))

    def allowed(whom: Person, client: str) -> bool:
        at = datetime(2026, 11, 29, tzinfo=UTC)
        return policy(person=whom, client=client, assurance=2, methods=("pwd",), at=at).allowed

    assert [allowed(bound, client) for client in ("tax", "social", "gateway", "")] == [True, False, True, True]
    assert [allowed(both, client) for client in ("tax", "social", "gateway")] == [False, False, True]
    assert [allowed(worker, client) for client in ("tax", "social")] == [True, True]
