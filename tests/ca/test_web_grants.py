# SPDX-License-Identifier: Apache-2.0
"""The desk's page of grants for ACME accounts."""

import re
from collections.abc import Mapping

import pytest
from werkzeug.test import TestResponse

from ca.acme import Holder
from tests.fakes.people import COMPANY, KIOSK, OFFICER

from .sites import ORIGIN, Site


def _get(site: Site, path: str = "/grants", roles: frozenset[str] = frozenset({"ra-officer"})) -> TestResponse:
    return site.client().get(path, headers=site.headers("GET", path, roles), base_url=ORIGIN)


def _submit(site: Site, path: str, form: Mapping[str, str], *, without_record: bool = False) -> TestResponse:
    client = site.client()
    page = client.get("/grants", headers=site.headers("GET", "/grants"), base_url=ORIGIN).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    sent = {"csrf_token": token.group(1), **form}
    site.world.recorder.down = without_record
    return client.post(path, data=sent, headers=site.headers("POST", path), base_url=ORIGIN)


def test_an_officer_grants_sees_the_key_once_and_withdraws(site: Site) -> None:
    assert "Nothing was granted yet." in _get(site).get_data(as_text=True)
    hosts = ".kiosk7.city.localhost\r\n10.0.0.0/8\r\n\r\n"
    made = _submit(site, "/grants", {"holder": "device", "subject": KIOSK.id, "names": hosts})
    page = made.get_data(as_text=True)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    (grant,) = site.acme.grants.grants()
    assert grant.names == (".kiosk7.city.localhost", "10.0.0.0/8")
    assert grant.officer == OFFICER.subject
    key = re.search(r'<code id="key">([^<]+)</code>', page)
    assert key is not None
    assert key.group(1) not in _get(site).get_data(as_text=True)
    assert [each for each in site.world.recorder.types() if each != "ca.inventory.read"][-1] == "ca.acme.grant.made"
    assert _submit(site, f"/grants/{grant.kid}/withdraw", {}).status_code == 303
    assert "Withdrawn" in _get(site).get_data(as_text=True)
    assert _submit(site, f"/grants/{grant.kid}/withdraw", {}).status_code == 404
    assert _submit(site, "/grants/0/withdraw", {}).status_code == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"holder": "device", "subject": KIOSK.id, "names": "not a name"}, 400),
        ({"holder": "device", "subject": KIOSK.id, "names": ""}, 400),
        ({"holder": "device", "subject": KIOSK.id, "names": "\n".join(f"a{n}.example" for n in range(101))}, 400),
        ({"holder": "device", "subject": "00000000-0000-4000-8000-000000000000", "names": "a.example"}, 404),
        ({"holder": "organisation", "subject": KIOSK.id, "names": "a.example"}, 404),
        ({"holder": "device", "subject": COMPANY.id, "names": "a.example"}, 404),
        ({"holder": "person", "subject": KIOSK.id, "names": "a.example"}, 400),
        ({}, 400),
    ],
)
def test_a_bad_form_comes_back_with_words(site: Site, form: dict[str, str], status: int) -> None:
    answer = _submit(site, "/grants", form)
    assert answer.status_code == status
    assert site.acme.grants.grants() == []


def test_the_page_speaks_two_languages_and_to_officers_alone(site: Site) -> None:
    assert "自动签发" in _get(site, "/grants?lang=zh").get_data(as_text=True)
    assert _get(site, roles=frozenset({"citizen"})).status_code == 403
    assert site.client().get("/grants", base_url=ORIGIN).status_code == 401


def test_grants_are_listed_in_pages(site: Site) -> None:
    for _ in range(52):
        site.acme.grants.make(holder=Holder.ORGANISATION, subject=COMPANY.id, names=["a.example"], officer="x")
    page = _get(site).get_data(as_text=True)
    more = re.search(r"before=([0-9a-f]{24})", page)
    assert more is not None
    rest = _get(site, f"/grants?before={more.group(1)}").get_data(as_text=True)
    assert len(re.findall(r"/withdraw", page)) == 50
    assert len(re.findall(r"/withdraw", rest)) == 2
    assert _get(site, "/grants?before=none").status_code == 200


def test_a_record_that_is_down_grants_nothing(site: Site) -> None:
    grant = {"holder": "device", "subject": KIOSK.id, "names": "a.example"}
    answer = _submit(site, "/grants", grant, without_record=True)
    assert answer.status_code == 503
    assert site.acme.grants.grants() == []
