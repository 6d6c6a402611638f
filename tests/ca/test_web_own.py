# SPDX-License-Identifier: Apache-2.0
"""Where holders ask and look after their own, and what others find there; and the desk's side of the same requests."""

import re

import pytest
from werkzeug.test import TestResponse

from ca.models import Standing
from ca.registration import Stage
from core.identity import HEADER
from tests.fakes.people import CITIZEN, CLERK, COMPANY, OFFICER

from .sites import HOLDERS, HOST, ORIGIN, Site
from .world import ask, request_for

HOLDERS_ORIGIN = f"https://{HOLDERS}:8443"


class Visitor:
    """One person's browser at one of the two hosts."""

    def __init__(self, site: Site, subject: str, *, host: str = HOLDERS, roles: frozenset[str] = frozenset()) -> None:
        self._site, self._subject, self._host, self._roles = site, subject, host, roles
        self._client = site.client()
        self._origin = HOLDERS_ORIGIN if host == HOLDERS else ORIGIN

    def _headers(self, method: str, path: str) -> dict[str, str]:
        token = self._site.identity(method, path, subject=self._subject, roles=self._roles, host=self._host)
        return {HEADER: token, "Host": self._host, "Referer": f"https://{self._host}/", "X-Forwarded-Proto": "https"}

    def get(self, path: str) -> TestResponse:
        return self._client.get(path, headers=self._headers("GET", path), base_url=self._origin)

    def post(self, path: str, *, at: str = "/my/ask", **form: str) -> TestResponse:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(at).get_data(as_text=True))
        assert token is not None
        return self.send(path, csrf_token=token.group(1), **form)

    def send(self, path: str, **form: str) -> TestResponse:
        return self._client.post(path, data=form, headers=self._headers("POST", path), base_url=self._origin)


@pytest.fixture
def citizen(site: Site) -> Visitor:
    return Visitor(site, CITIZEN.subject)


@pytest.fixture
def officer(site: Site) -> Visitor:
    return Visitor(site, OFFICER.subject, host=HOST, roles=frozenset({"ra-officer"}))


def test_a_citizen_asks_an_officer_decides_the_citizen_fetches_and_revokes(
    site: Site, citizen: Visitor, officer: Visitor
) -> None:
    where = citizen.post("/my/requests", offer="citizen", csr=request_for().decode()).headers["Location"]
    number = where.rsplit("/", 1)[1]
    desk = f"/requests/{number}"
    assert "王小明" in officer.get("/requests").get_data(as_text=True)
    assert "Prove the identity" in officer.get(desk).get_data(as_text=True)
    proved = officer.post(f"{desk}/prove", at=desk, evidence="face-to-face", reference="file 7")
    assert proved.status_code == 303
    page = officer.get(desk).get_data(as_text=True)
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest is not None
    assert officer.post(f"{desk}/approve", at=desk, digest="0" * 64).status_code == 409
    assert officer.post(f"{desk}/approve", at=desk, digest=digest.group(1)).status_code == 303
    done = site.registration.request(number)
    assert done.stage is Stage.ISSUED
    again = officer.post(f"{desk}/approve", at="/issue", digest=digest.group(1))
    assert again.status_code == 409
    file = citizen.get(f"/my/certificates/{done.serial}.pem").get_data(as_text=True)
    assert file.count("BEGIN CERTIFICATE") == 2
    mine = f"/my/certificates/{done.serial}"
    assert done.serial in citizen.get("/my/").get_data(as_text=True)
    assert citizen.post(f"{mine}/revoke", at=mine, reason="superseded").status_code == 303
    assert site.authority.status(done.serial).standing is Standing.REVOKED
    assert citizen.post(f"{mine}/revoke", reason="superseded").status_code == 409


def test_a_denied_request_says_why_and_a_withdrawn_one_is_over(site: Site, citizen: Visitor, officer: Visitor) -> None:
    first, second = (
        citizen.post("/my/requests", offer="citizen", csr=request_for().decode()).headers["Location"] for _ in range(2)
    )
    desk = f"/requests/{first.rsplit('/', 1)[1]}"
    assert officer.post(f"{desk}/deny", at=desk, reason=" ").status_code == 400
    assert officer.post(f"{desk}/deny", at=desk, reason="<b>No</b> photograph").status_code == 303
    shown = citizen.get(first).get_data(as_text=True)
    assert "&lt;b&gt;No&lt;/b&gt; photograph" in shown
    assert citizen.post(f"{second}/withdraw", at=second).status_code == 303
    assert citizen.post(f"{second}/withdraw").status_code == 409
    assert site.registration.request(second.rsplit("/", 1)[1]).stage is Stage.WITHDRAWN


def test_others_requests_and_certificates_are_not_there(site: Site, citizen: Visitor) -> None:
    where = citizen.post("/my/requests", offer="citizen", csr=request_for().decode()).headers["Location"]
    serial = site.authority.issue(ask()).serial
    stranger = Visitor(site, CLERK.subject)
    for path in (where, f"/my/certificates/{serial}", f"/my/certificates/{serial}.pem", "/my/requests/none"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{where}/withdraw").status_code == 404
    assert stranger.post(f"/my/certificates/{serial}/revoke", reason="superseded").status_code == 404
    assert site.authority.status(serial).good
    assert site.registration.request(where.rsplit("/", 1)[1]).open


def test_each_hosts_identity_opens_that_host_alone(site: Site) -> None:
    at_desk = Visitor(site, OFFICER.subject, roles=frozenset({"ra-officer"}))
    for path in ("/requests", "/issue", "/certificates/12ab"):
        assert at_desk.get(path).status_code == 401
    at_holders = Visitor(site, OFFICER.subject, host=HOST, roles=frozenset({"ra-officer"}))
    for path in ("/my/", "/my/ask", "/my/keys.js"):
        assert at_holders.get(path).status_code == 401
    assert site.client().get("/my/", base_url=HOLDERS_ORIGIN).status_code == 401
    assert at_desk.get("/").headers["Location"] == "/my/"
    assert Visitor(site, CITIZEN.subject, host=HOST).get("/requests").status_code == 403


def test_a_form_without_its_token_asks_and_ends_nothing(site: Site, citizen: Visitor, officer: Visitor) -> None:
    assert citizen.send("/my/requests", offer="citizen", csr=request_for().decode()).status_code == 403
    assert site.registration.asked_by(CITIZEN.subject) == []
    where = citizen.post("/my/requests", offer="citizen", csr=request_for().decode()).headers["Location"]
    desk = f"/requests/{where.rsplit('/', 1)[1]}"
    for verb in ("prove", "approve", "deny"):
        assert officer.send(f"{desk}/{verb}", reason="x", evidence="documents", reference="x").status_code == 403
    assert citizen.send(f"{where}/withdraw").status_code == 403
    assert site.registration.request(where.rsplit("/", 1)[1]).stage is Stage.ASKED


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"offer": "citizen", "csr": "nonsense"}, 400),
        ({"offer": "citizen", "csr": ""}, 400),
        ({"offer": "server", "csr": "x"}, 400),
        ({"offer": f"organisation-seal:{COMPANY.id}", "csr": "x"}, 400),
        ({"csr": "x"}, 400),
    ],
)
def test_a_bad_wish_comes_back(citizen: Visitor, form: dict[str, str], status: int) -> None:
    assert citizen.post("/my/requests", **form).status_code == status
    assert citizen.get("/my/ask?lang=zh").get_data(as_text=True).count("申请证书")


def test_officers_own_and_evidence_that_is_none(site: Site, officer: Visitor) -> None:
    own = Visitor(site, OFFICER.subject)
    where = own.post("/my/requests", offer="citizen", csr=request_for().decode()).headers["Location"]
    desk = f"/requests/{where.rsplit('/', 1)[1]}"
    refused = officer.post(f"{desk}/deny", at=desk, reason="x")
    assert refused.status_code == 403
    assert "it is your own" in refused.get_data(as_text=True)
    for form in ({"evidence": "directory", "reference": "x"}, {"evidence": "documents", "reference": " "}, {}):
        assert officer.post(f"{desk}/prove", at="/issue", **form).status_code == 400
    for path, status in (("/requests?after=x", 400), ("/requests/none", 404)):
        assert officer.get(path).status_code == status
