# SPDX-License-Identifier: Apache-2.0
"""The registration desk behind the gateway."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from ca.models import Standing
from tests.fakes.people import CITIZEN, CLERK, COMPANY, OFFICER

from .sites import ORIGIN, Site, open_site
from .tables import Table
from .world import ask, request_for


def _submit(site: Site, path: str, form: Mapping[str, object], at: str = "") -> TestResponse:
    client = site.client()
    page = client.get(at or "/issue", headers=site.headers("GET", at or "/issue"), base_url=ORIGIN)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    return client.post(
        path,
        data={"csrf_token": token.group(1), "evidence": "documents", "reference": "file 7", **form},
        headers=site.headers("POST", path),
        base_url=ORIGIN,
        content_type="multipart/form-data",
    )


def test_an_officer_issues_suspends_releases_and_revokes(site: Site) -> None:
    form = {"profile": "civil-servant", "subject": CLERK.username, "csr": request_for().decode()}
    answer = _submit(site, "/issue", form)
    assert answer.status_code == 303
    path = answer.headers["Location"]
    serial = path.rsplit("/", 1)[1]
    for verb, standing in (
        ("suspend", Standing.SUSPENDED),
        ("release", Standing.GOOD),
        ("revoke", Standing.REVOKED),
    ):
        done = _submit(site, f"{path}/{verb}", {"reason": "superseded"}, at=path)
        assert done.status_code == 303
        assert site.authority.status(serial).standing is standing
    assert site.world.outbox()[-1].actor == OFFICER.subject


def test_an_uploaded_request_works_too(site: Site) -> None:
    form = {"profile": "organisation-seal", "subject": COMPANY.id, "csr": ""}
    answer = _submit(site, "/issue", {**form, "file": (io.BytesIO(request_for()), "seal.csr")})
    # An organisation's waits for another officer.
    assert "/requests/" in answer.headers["Location"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"profile": "citizen", "subject": "nobody", "csr": "x"}, 404),
        ({"profile": "citizen", "subject": CITIZEN.username, "csr": "nonsense"}, 400),
        ({"profile": "citizen", "subject": CITIZEN.username, "csr": ""}, 400),
        ({"profile": "server", "subject": "x", "csr": "x"}, 400),
        ({"profile": "citizen", "subject": OFFICER.username}, 403),
        ({"profile": "", "subject": "", "csr": ""}, 400),
        ({}, 400),
    ],
)
def test_a_bad_form_comes_back_with_words(site: Site, form: dict[str, object], status: int) -> None:
    if form.get("subject") == OFFICER.username:
        form = {**form, "csr": request_for().decode()}
    answer = _submit(site, "/issue", form)
    assert answer.status_code == status


def test_search_by_everything(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    for sought in (CITIZEN.subject, CITIZEN.username, "王小", ""):
        path = f"/?q={quote(sought)}"
        page = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
        assert serial in page.get_data(as_text=True), sought
    path = f"/?q={serial}"
    found = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert found.headers["Location"].endswith(f"/certificates/{serial}")
    path = f"/?q={quote('李' * 20)}"
    none = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert "No certificate matches." in none.get_data(as_text=True)


def test_only_officers_see_the_desk(site: Site) -> None:
    for path in ("/", "/issue", "/certificates/12ab"):
        headers = site.headers("GET", path, frozenset({"citizen"}))
        assert site.client().get(path, headers=headers, base_url=ORIGIN).status_code == 403
        assert site.client().get(path, base_url=ORIGIN).status_code == 401


def test_a_form_without_its_token_does_nothing(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    path = f"/certificates/{serial}/suspend"
    answer = site.client().post(path, headers=site.headers("POST", path), base_url=ORIGIN)
    assert answer.status_code == 403
    assert site.authority.status(serial).good


def test_conflicts_are_told_on_the_page_in_both_languages(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    path = f"/certificates/{serial}"
    site.authority.suspend(serial, actor="x")
    client = site.client()
    page = client.get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    for language, words in (("en", "is suspended already"), ("zh", "已经挂起")):
        send = f"{path}/suspend?lang={language}"
        answer = client.post(
            send, data={"csrf_token": token.group(1)}, headers=site.headers("POST", send), base_url=ORIGIN
        )
        assert answer.status_code == 409
        assert words in answer.get_data(as_text=True)


def test_downloads_and_unknown_serials(site: Site) -> None:
    issued = site.authority.issue(ask())
    path = f"/certificates/{issued.serial}.pem"
    assert site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN).data == issued.certificate
    for path, status in (
        ("/certificates/1234", 404),
        ("/certificates/zz", 400),
        ("/?before=x", 400),
        ("/?q=a&q=b", 400),
    ):
        assert site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN).status_code == status


def test_the_desk_tells_generations_apart(table: Table, released: Path) -> None:
    table.held('kind = "issuers"\nsite = "city"\ntitle = "x"\nissuers = ["people-2"]\n')
    site = open_site(table.world, released)
    path = f"/certificates/{site.authority.issue(ask()).serial}"
    page = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert page.status_code == 200
    assert "<dd>People 2</dd>" in page.get_data(as_text=True)


def test_what_is_read_at_the_desk_is_on_the_record_before_it_is_shown(site: Site) -> None:
    """Every page, file and answer of the desk, by its view; a certificate's about its holder."""
    serial = site.authority.issue(ask()).serial
    asked = site.registration.ask(asker=CLERK.subject, offer="civil-servant", csr=request_for())
    recorder = site.world.recorder
    views = {
        "/": "ca.home",
        "/?q=w": "ca.home",
        f"/certificates/{serial}": "certificate",
        f"/certificates/{serial}.pem": "certificate",
        "/requests": "ca.queue",
        f"/requests/{asked.id}": "ca.asked",
        "/incidents": "ca.incidents",
        "/bulk": "ca_bulk.listed",
        "/grants": "ca_grants.listed",
        "/enrolments": "ca_enrolments.listed",
        "/api/v1/ra/requests": "ca_registrar.requests",
        f"/api/v1/ra/certificates/{serial}": "certificate",
        f"/api/v1/ra/certificates/{serial}/chain": "certificate",
        "/api/v1/ra/incidents": "ca_incident_registrar.listed",
    }
    for path, view in views.items():
        before = len(recorder.events)
        answer = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
        assert answer.status_code == 200, path
        (read,) = [each for each in recorder.events[before:] if each.type == "ca.inventory.read"]
        assert (read.attributes["view"], read.actor) == (view, OFFICER.subject), path
        assert (read.subject == CITIZEN.subject) is (view == "certificate"), path
    # What was refused or is an empty form was not read.
    before = len(recorder.events)
    for path in ("/issue", "/incidents/new", f"/certificates/{'1' * 34}", "/requests/absent"):
        site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert not [each for each in recorder.events[before:] if each.type == "ca.inventory.read"]
    recorder.down = True
    for path in views:
        answer = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
        assert answer.status_code == 503, path
        # The address itself may say a serial; nothing that was to be read stands there.
        assert not any(word in answer.text for word in ("王小明", "BEGIN CERTIFICATE", CLERK.username)), path
