# SPDX-License-Identifier: Apache-2.0
"""What portals copy works: the Python program is run here, all three by ``scripts/samples``."""

from dataclasses import replace
from pathlib import Path

import pytest

from sso.web.admin.samples import LANGUAGES, samples
from tests.sso.conftest import World
from tests.sso.desk import Officer
from tests.sso.samples import registered, run, served


def test_the_python_program_logs_a_person_in_by_secret_and_by_key(tmp_path: Path) -> None:
    with served(tmp_path) as here:
        for method in ("client_secret_basic", "private_key_jwt"):
            client, key = registered(here[0], method)
            found = run("python", client, key, here, tmp_path)
            assert (found["name"], found["acr"]) == ("Li Na", "1")


def test_they_are_on_the_clients_page_with_its_own_values_and_no_secret(world: World) -> None:
    client, _key = registered(world, "client_secret_basic")
    page = Officer(world).get(f"/admin/clients/{client.id}").text
    assert page.count("<details>") == len(LANGUAGES)
    assert page.count(client.id) > len(LANGUAGES)
    assert client.secret_hash not in page
    filled = samples(client, issuer=world.issuer)
    assert all("@" not in text.replace("@type", "") or "@CLIENT@" not in text for text in filled.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"requires": frozenset({"dpop"})},
        {"method": "tls_client_auth"},
        {"id_token_encrypted": True},
        {"grants": frozenset({"client_credentials"})},
        {"redirect_uris": ('https://library.example/"+exit()+"',)},
    ],
    ids=str,
)
def test_none_is_offered_that_would_not_work_or_could_break_out(world: World, changes: dict[str, object]) -> None:
    client, _key = registered(world, "client_secret_basic")
    assert samples(replace(client, **changes), issuer=world.issuer) == {}  # type: ignore[arg-type]  # any of them


def test_a_client_for_tests_is_shown_the_simulator(world: World) -> None:
    client, _key = registered(world, "client_secret_basic")
    world.store.clients.put(replace(client, test=True))
    assert f"{world.issuer}/simulator&#34;" in Officer(world).get(f"/admin/clients/{client.id}").text
