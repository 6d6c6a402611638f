# SPDX-License-Identifier: Apache-2.0
"""Software that is not ours against the SCIM service: scim2-client and scim2-tester."""

# ruff: noqa: PLC0415 - its models take three seconds to import, which every worker would pay when it collects
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from tests.directory.desk import HOST, Desk, application
from tests.directory.world import World

if TYPE_CHECKING:
    from scim2_client.engines.wsgi import WSGISCIMClient


@pytest.fixture
def client(filled: World) -> "WSGISCIMClient":
    """The client of a directory administrator's program, as the gateway lets it through."""
    from scim2_client.engines.wsgi import WSGISCIMClient

    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    desk = Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))
    app = application(filled)

    def through_gateway(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        for name, value in desk.headers(environ["REQUEST_METHOD"], path).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        environ |= {"HTTP_HOST": HOST, "REQUEST_URI": path}
        return app(environ, start)

    return WSGISCIMClient(through_gateway, base_url=f"https://{HOST}/scim/v2")


def test_what_can_be_found_out_satisfies_the_tester(client: "WSGISCIMClient") -> None:
    from scim2_tester import Status, check_server

    results = [each for each in check_server(client, include_tags={"discovery"}) if each.status is not Status.SKIPPED]
    assert len(results) > 5
    assert [(each.title, each.reason) for each in results if each.status is not Status.SUCCESS] == []


def test_a_client_enters_finds_changes_and_lets_go(client: "WSGISCIMClient") -> None:
    from scim2_models import SearchRequest

    client.discover()
    # Made from our own schema documents, so nobody knows their types before.
    people: Any = client.get_resource_model("User")
    groups: Any = client.get_resource_model("Group")
    made: Any = client.create(people(user_name="from.client", name={"formatted": "From Client"}))
    asked: Any = {"filter": 'userName eq "from.client"', "start_index": 1}
    found: Any = client.query(people, query_parameters=SearchRequest(**asked))
    assert (found.total_results, found.resources[0].id) == (1, made.id)
    made.active = False
    off: Any = client.replace(made)
    assert off.active is False
    night: Any = client.create(groups(display_name="From a client"))
    client.delete(groups, night.id)
    client.delete(people, made.id)
    gone: Any = client.query(people, made.id, raise_scim_errors=False)
    assert str(gone.status) == "404"
