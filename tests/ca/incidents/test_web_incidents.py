# SPDX-License-Identifier: Apache-2.0
"""The pages of incidents at the desk, the public page, and what nobody may do there."""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from ca.incidents import Act, Incident, Stage
from ca.models import Standing
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.identity import HEADER
from directory import Proofing
from tests.ca.incidents.house import SECOND, House, plan
from tests.ca.sites import HOLDERS, HOST, ORIGIN, SECRETS, Site
from tests.ca.world import ask
from tests.fakes.people import CITIZEN, OFFICER

ACME = "https://acme.city.localhost:8443"
FORM = {
    "act": "revoke",
    "reason": "superseded",
    "holder": CITIZEN.username,
    "text": "A key leaked.",
    "text_zh": "密钥泄露",
}


class Desk:
    """One officer's browser."""

    def __init__(self, site: Site, subject: str = OFFICER.subject, **identity: object) -> None:
        self.site, self.client = site, site.client()
        self._who: dict[str, object] = {"subject": subject, "roles": frozenset({"ra-officer"}), **identity}

    def headers(self, method: str, path: str) -> dict[str, str]:
        token = self.site.identity(method, path, **self._who)  # type: ignore[arg-type]  # its own keywords
        return {HEADER: token, "Host": HOST, "Referer": f"https://{HOST}/", "X-Forwarded-Proto": "https"}

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers("GET", path), base_url=ORIGIN)

    def send(self, path: str, form: Mapping[str, object]) -> TestResponse:
        sent = dict(form)
        return self.client.post(path, data=sent, headers=self.headers("POST", path), base_url=ORIGIN)

    def post(self, path: str, form: Mapping[str, object] | None = None) -> TestResponse:
        page = self.get("/incidents/new").get_data(as_text=True)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None
        return self.send(path, {"csrf_token": token.group(1), **(form or {})})

    def previewed(self, **form: object) -> Incident:
        answer = self.post("/incidents", {**FORM, **form})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return self.site.incidents.incident(answer.headers["Location"].rsplit("/", 1)[1])


def test_two_officers_at_the_desk(desk: Site) -> None:
    serial = desk.authority.issue(ask()).serial
    first, second = Desk(desk), Desk(desk, SECOND.subject)
    assert "There was none yet." in first.get("/incidents").get_data(as_text=True)
    made = first.previewed()
    path = f"/incidents/{made.id}"
    page = first.get(path).get_data(as_text=True)
    assert "Nothing was done yet." in page
    assert made.digest in page
    assert serial in page
    assert "Propose to another officer" in page
    # Another officer sees it and cannot propose it.
    assert "Propose to another officer" not in second.get(path).get_data(as_text=True)
    assert second.post(f"{path}/propose", {"digest": made.digest}).status_code == 403
    assert first.post(f"{path}/propose", {"digest": "0" * 64}).status_code == 409
    assert first.post(f"{path}/propose", {"digest": made.digest}).status_code == 303
    # Nobody agrees with oneself, whatever page is shown.
    assert "Agree and begin" not in first.get(path).get_data(as_text=True)
    own = first.post(f"{path}/approve", {"digest": made.digest})
    assert own.status_code == 403
    assert "another officer has to agree" in own.get_data(as_text=True)
    assert desk.world.reported()[-1] == "ca.incident.refused"
    assert "Agree and begin" in second.get(path).get_data(as_text=True)
    assert second.post(f"{path}/approve", {"digest": made.digest}).status_code == 303
    assert "Under way" in second.get(path).get_data(as_text=True)
    assert first.post(f"{path}/pause").status_code == 303
    assert "Paused" in first.get("/incidents").get_data(as_text=True)
    assert second.post(f"{path}/resume").status_code == 303
    desk.runner.round()
    assert desk.authority.status(serial).standing is Standing.REVOKED
    assert "Carried out" in first.get(path).get_data(as_text=True)
    assert first.post(f"{path}/stop", {"why": "late"}).status_code == 409
    listed = first.get(f"{path}.csv")
    assert listed.headers["Content-Disposition"] == f'attachment; filename="incident-{made.id}.csv"'
    assert listed.get_data(as_text=True).splitlines()[1].startswith(f"{serial},people,citizen,{CITIZEN.subject},")


def test_pages_speak_two_languages(desk: Site) -> None:
    desk.authority.issue(ask())
    first = Desk(desk)
    made = first.previewed()
    for path, words in (
        ("/incidents?lang=zh", "选择证书"),
        ("/incidents/new?lang=zh", "预览"),
        (f"/incidents/{made.id}?lang=zh", "尚未执行任何操作"),
        (f"/incidents/{made.id}?lang=en", "Nothing was done yet."),
    ):
        assert words in first.get(path).get_data(as_text=True)
    bad = first.post("/incidents?lang=zh", {**FORM, "holder": ""})
    assert bad.status_code == 400
    assert "没有指定任何条件" in bad.get_data(as_text=True)


def test_a_file_of_serials_is_read_and_a_private_key_never_comes_back(desk: Site) -> None:
    serial = desk.authority.issue(ask()).serial
    first = Desk(desk)
    made = first.previewed(holder="", file=(io.BytesIO(f"{serial}\nabcd\n".encode()), "serials.txt"))
    assert (made.size, made.summary.unknown) == (1, 1)
    assert "abcd" in first.get(f"/incidents/{made.id}").get_data(as_text=True)
    secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    page = first.post("/incidents", {**FORM, "keys": secret})
    assert page.status_code == 400
    assert "c2VjcmV0" not in page.get_data(as_text=True)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"act": ""},
        {"act": "destroy"},
        {"reason": "whim"},
        {"holder": ""},
        {"holder": "\0"},
        {"profile": "no-such"},
        {"issuer": ["people"] * 101},
        {"keys": "x"},
        {"since": "never"},
        {"until": "0000-00-00T00:00"},
        {"act": "renew-then-revoke", "deadline": "", "whom": "everybody"},
        {"act": "renew-then-revoke", "deadline": "2020-01-01T00:00", "whom": "everybody"},
        {"act": "renew-then-revoke", "deadline": "2999-01-01T00:00", "whom": "everybody"},
        {"act": "renew-then-revoke", "deadline": "2030-01-01T00:00", "whom": "some"},
        {"text": "", "text_zh": ""},
        {"text": "x" * 2001},
        {"text": "x" * 5000},
        {"holder": ["a", "b"]},
    ],
    ids=str,
)
def test_a_bad_form_comes_back_and_leaves_nothing(desk: Site, form: dict[str, object]) -> None:
    answer = Desk(desk).post("/incidents", {**FORM, **form} if form else {})
    assert answer.status_code == 400
    assert desk.incidents.incidents() == ([], 0)


@pytest.mark.parametrize(("lines", "status"), [(310_000, 400), (400_000, 413)])
def test_an_oversized_file_is_refused(desk: Site, lines: int, status: int) -> None:
    first = Desk(desk)
    page = first.get("/incidents/new").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**FORM, "holder": "", "csrf_token": token.group(1)}.items()
    ]
    # By hand: what the test client spools into a file it leaves open.
    upload = '--x\r\nContent-Disposition: form-data; name="file"; filename="s.txt"\r\nContent-Type: text/plain\r\n\r\n'
    body = ("".join(parts) + upload + "ab\n" * lines + "\r\n--x--\r\n").encode()
    answer = first.client.post(
        "/incidents",
        data=body,
        content_type="multipart/form-data; boundary=x",
        headers=first.headers("POST", "/incidents"),
        base_url=ORIGIN,
    )
    assert answer.status_code == status
    assert desk.incidents.incidents() == ([], 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/incidents/none", 404),
        ("/incidents/none.csv", 404),
        ("/incidents?before=x", 400),
        ("/incidents?before=999999999999999999999", 400),
        ("/incidents?before=1&before=2", 400),
        ("/incidents?before=999999999999999999", 400),
        ("/incidents?before=2147483647", 200),
        ("/incidents/%00", 404),
        ("/incidents/%ed%a0%80", 404),
        ("/incidents/" + "x" * 3000, 404),
    ],
)
def test_odd_addresses_are_no_failures(desk: Site, path: str, status: int) -> None:
    assert Desk(desk).get(path).status_code == status


def test_only_officers_with_a_card_get_in_and_only_with_a_token(desk: Site) -> None:
    serial = desk.authority.issue(ask()).serial
    made = Desk(desk).previewed()
    gets = ("/incidents", "/incidents/new", f"/incidents/{made.id}", f"/incidents/{made.id}.csv")
    verbs = ("propose", "approve", "withdraw", "pause", "resume", "stop")
    posts = ("/incidents", *(f"/incidents/{made.id}/{verb}" for verb in verbs))
    for who, status in (
        (Desk(desk, roles=frozenset({"citizen"})), 403),
        (Desk(desk, roles=frozenset({"auditor"})), 403),
        # A password and a code are not enough here.
        (Desk(desk, assurance=2), 403),
        (Desk(desk, host="tax.city.localhost"), 401),
    ):
        for path in gets:
            assert who.get(path).status_code == status, path
        for path in posts:
            assert who.send(path, FORM).status_code == status, path
    for path in gets:
        assert desk.client().get(path, base_url=ORIGIN).status_code == 401
    for path in posts:
        # An officer's own browser, led here by somebody else's page.
        assert Desk(desk).send(path, {**FORM, "digest": made.digest}).status_code == 403, path
    assert desk.incidents.incident(made.id).stage is Stage.PREVIEW
    assert desk.authority.status(serial).good


def test_anybody_reads_why_in_either_language_and_nobodys_name(desk: Site) -> None:
    house = House(desk.world, desk.authority, desk.incidents, desk.runner)
    desk.authority.issue(ask())
    deadline = desk.world.clock.now() + timedelta(days=2)
    wanted = plan(Act.RENEW_THEN_REVOKE, holder=CITIZEN.subject, deadline=deadline)
    both = replace(wanted, text="<b>Leaked</b>", text_zh="密钥泄露")
    made = desk.incidents.preview(both, by=OFFICER.subject)
    path = f"/notices/{made.id}"
    assert desk.client().get(path, base_url=ACME).status_code == 404
    desk.incidents.propose(made.id, by=OFFICER.subject, digest=made.digest)
    assert desk.client().get(path, base_url=ACME).status_code == 404
    desk.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
    for language, words, other in (("en", "&lt;b&gt;Leaked", "密钥泄露"), ("zh", "密钥泄露", "Leaked")):
        page = desk.client().get(path, base_url=ACME, headers={"Accept-Language": language})
        assert page.status_code == 200
        said = page.get_data(as_text=True)
        assert words in said
        assert other not in said
        assert deadline.strftime("%Y-%m-%d %H:%M") in said
        for secret in (CITIZEN.subject, CITIZEN.name_zh, OFFICER.name, OFFICER.subject, house.serials(made)[0]):
            assert secret not in said
    desk.incidents.stop(made.id, by=OFFICER.subject, why="A mistake")
    stopped = desk.client().get(path, base_url=ACME).get_data(as_text=True)
    assert "This was stopped" in stopped
    assert "A mistake" not in stopped
    # One language is shown to everybody if there is no other.
    only = house.begun(holder=CITIZEN.subject)
    page = desk.client().get(f"/notices/{only.id}", base_url=ACME, headers={"Accept-Language": "zh"})
    assert '<blockquote lang="en"><p>A key leaked.' in page.get_data(as_text=True)


def test_holders_see_it_at_their_own_certificates(desk: Site) -> None:
    house = House(desk.world, desk.authority, desk.incidents, desk.runner)
    serial = desk.authority.issue(ask()).serial

    def own(path: str) -> str:
        token = desk.identity("GET", path, subject=CITIZEN.subject, host=HOLDERS)
        headers = {HEADER: token, "Host": HOLDERS, "X-Forwarded-Proto": "https"}
        return desk.client().get(path, headers=headers, base_url=f"https://{HOLDERS}:8443").get_data(as_text=True)

    assert "Renew this certificate now." not in own("/my/")
    done = house.carried_out(Act.RENEW, holder=CITIZEN.subject)
    for path in ("/my/", f"/my/certificates/{serial}"):
        page = own(path)
        assert "Renew this certificate now." in page
        assert f"{ACME}/notices/{done.id}" in page


@pytest.mark.parametrize(("level", "status"), [(3, 200), (2, 403)])
def test_the_side_door_leads_there_too_for_a_card_of_somebody_well_proofed(desk: Site, level: int, status: int) -> None:
    desk.world.directory.people[OFFICER.subject] = replace(OFFICER, proofing=Proofing(level=level))
    card = desk.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=SECOND.subject))
    headers = {
        CALLER_HEADER: "nginx",
        SECRET_HEADER: base64.b64encode(SECRETS["nginx"]).decode(),
        "Tallygate-Client-Certificate": quote(card.certificate.decode()),
        "Tallygate-Listener": "management",
    }
    made = desk.incidents.preview(plan(holder=CITIZEN.subject), by=OFFICER.subject)
    for path in ("/direct/incidents", "/direct/incidents/new", f"/direct/incidents/{made.id}"):
        assert desk.client().get(path, headers=headers, base_url=ORIGIN).status_code == status
        assert desk.client().get(path, base_url=ORIGIN).status_code == 401


def test_officers_programs_follow_the_rules_of_the_desk(desk: Site) -> None:
    """The whole way over REST: preview, propose, refused to its author, agreed to by another, looked at, stopped."""
    serial = desk.authority.issue(ask()).serial
    at, headers = "/api/v1/ra/incidents", {"Host": HOST, "X-Forwarded-Proto": "https"}

    def call(method: str, path: str, body: object = None, **identity: object) -> TestResponse:
        who: dict[str, object] = {"subject": OFFICER.subject, "roles": frozenset({"ra-officer"}), **identity}
        token = desk.identity(method, path, **who)  # type: ignore[arg-type]  # its own keywords
        sent = {} if body is None else {"json": body}
        return desk.client().open(path, method=method, headers={**headers, HEADER: token}, base_url=ORIGIN, **sent)  # type: ignore[arg-type]  # as above

    wish = {"act": "revoke", "reason": "superseded", "holder": CITIZEN.subject, "text": "A key leaked."}
    made = call("POST", at, wish)
    assert made.status_code == 201, made.text
    assert made.get_json()["opener"] == OFFICER.subject
    one, digest = f"{at}/{made.get_json()['id']}", {"digest": made.get_json()["digest"]}
    (line,) = call("GET", f"{one}/certificates").get_json()["certificates"]
    assert line["serial"] == serial
    # Only whoever previewed it proposes it; nobody agrees to their own, nor without a card, nor without the role.
    assert call("POST", f"{one}/propose", digest, subject=SECOND.subject).status_code == 403
    assert call("POST", f"{one}/propose", digest).get_json()["stage"] == "proposed"
    assert call("POST", f"{one}/approve", digest).status_code == 403
    assert call("POST", f"{one}/approve", digest, subject=SECOND.subject, assurance=2).status_code in {401, 403}
    assert call("POST", f"{one}/approve", digest, subject=SECOND.subject, roles=frozenset()).status_code == 403
    assert call("POST", f"{one}/approve", {"digest": "0" * 64}, subject=SECOND.subject).status_code == 409
    assert call("POST", f"{one}/approve", {**digest, "more": 1}, subject=SECOND.subject).status_code == 400
    assert desk.authority.status(serial).good
    agreed = call("POST", f"{one}/approve", digest, subject=SECOND.subject).get_json()
    assert (agreed["stage"], agreed["approver"]) == ("running", SECOND.subject)
    assert call("POST", f"{one}/pause", {}).get_json()["stage"] == "paused"
    assert call("POST", f"{one}/resume", {}).get_json()["stage"] == "running"
    desk.runner.round()
    assert desk.authority.status(serial).standing is Standing.REVOKED
    assert call("GET", one).get_json()["stage"] == "done"
    assert [each["id"] for each in call("GET", at).get_json()["incidents"]] == [agreed["id"]]
