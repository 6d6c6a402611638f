# SPDX-License-Identifier: Apache-2.0
"""What works once works once: codes, tokens, tickets, logins, forms and half an import, sent twice or all at once."""

import base64
import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.flows import hostile, people, unchanged
from tests.flows.city import PASSWORD, City, until
from tests.flows.doors import DOORS
from tests.flows.knocking import Knocker, hidden, person, post


@pytest.fixture(scope="module")
def before(city: City) -> unchanged.Before:
    return unchanged.look(city)


@pytest.fixture(scope="module")
def knocker(city: City, before: unchanged.Before) -> Iterator[Knocker]:
    found = Knocker(city)
    yield found
    found.close()


@pytest.fixture(scope="module")
def citizen(city: City, knocker: Knocker) -> requests.Session:
    return person(city, "zhang.min", city.url("tax", "/.tallygate/login?to=/"))


def _code(city: City, session: requests.Session) -> tuple[str, str, str]:
    """A fresh authorization code for the tax portal, its verifier and callback."""
    verifier, callback = "v" * 64, city.url("tax", "/callback")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    shown = session.get(
        city.url("sso", "/authorize"),
        params={
            "response_type": "code", "client_id": "tax", "redirect_uri": callback, "scope": "openid profile",
            "state": "s" * 32, "nonce": "n" * 32, "code_challenge_method": "S256",
            "code_challenge": challenge,
        },
        allow_redirects=False, timeout=20,
    )  # fmt: skip
    address = shown.headers["Location"]
    if "/consent" in address:
        page = session.get(city.url("sso", address), timeout=20)
        fields = hidden(page.text, "/consent")
        sent = session.post(
            city.url("sso", "/consent"), data={**fields, "choice": "allow"}, headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        address = sent.headers["Location"]
        again = session.post(
            city.url("sso", "/consent"), data={**fields, "choice": "allow"}, headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        assert again.status_code == 400, "a consent form was taken twice"
    return parse_qs(urlsplit(address).query)["code"][0], verifier, callback


def test_a_code_works_once_also_when_all_come_at_once(city: City, citizen: requests.Session) -> None:
    code, verifier, callback = _code(city, citizen)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: people.redeem(city, "tax", code, verifier, callback), range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 400, 400, 400]
    assert all(answer.json()["error"] == "invalid_grant" for answer in answers if answer.status_code == 400)
    # Somebody had the code who should not: what it gave is taken back.
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    until(lambda: people.bearer(city, token).status_code == 401, seconds=20)


def test_a_revoked_token_may_be_revoked_again(city: City, citizen: requests.Session) -> None:
    code, verifier, callback = _code(city, citizen)
    token = people.redeem(city, "tax", code, verifier, callback).json()["access_token"]
    secret = (city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
    for _ in range(2):
        answer = city.http().post(city.url("sso", "/revoke"), data={"token": token}, auth=("tax", secret))
        assert answer.status_code == 200
    asked = city.http().post(city.url("sso", "/introspect"), data={"token": token}, auth=("tax", secret))
    assert asked.json() == {"active": False}


def test_a_way_back_from_the_card_works_once(city: City) -> None:
    session = city.http()
    session.headers["Accept"] = "text/html"
    session.cert = str(city.folder / "demo" / "li.na.pem")
    shown = session.get(city.url("sso", "/account"), timeout=20)
    done = post(session, shown, "/login/card")
    assert done.status_code == 200
    ways = [step.headers["Location"] for step in done.history if "handover=" in step.headers.get("Location", "")]
    tickets = [step.headers["Location"] for step in done.history if "ticket=" in step.headers.get("Location", "")]
    assert ways
    assert tickets
    for address in (*ways, *tickets):
        for visitor in (session, city.http()):
            again = visitor.get(address, allow_redirects=False, timeout=20)
            assert 400 <= again.status_code < 500, (address, again.status_code)


def test_a_login_finishes_once_and_only_where_it_began(city: City) -> None:
    session = city.http()
    session.headers["Accept"] = "text/html"
    shown = session.get(city.url("social", "/.tallygate/login?to=/"), timeout=20)
    fields = hidden(shown.text, "/login")
    done = post(session, shown, "/login", username="zhang.min", password=PASSWORD)
    callbacks = [step.headers["Location"] for step in done.history if "/callback?" in step.headers.get("Location", "")]
    assert callbacks
    for address in callbacks:
        for visitor in (session, city.http()):
            again = visitor.get(address, headers={"Accept": "text/html"}, allow_redirects=False, timeout=20)
            assert 400 <= again.status_code < 500, (address, again.status_code)
    twice = session.post(
        city.url("sso", "/login"), data={**fields, "username": "zhang.min", "password": PASSWORD},
        headers={"Referer": shown.url}, allow_redirects=False, timeout=20,
    )  # fmt: skip
    assert twice.status_code in {400, 403}


def test_leaving_twice_is_leaving(city: City) -> None:
    session = person(city, "zhang.min", city.url("social", "/.tallygate/login?to=/"))
    cookies = session.cookies.copy()
    page = session.get(city.url("social", "/.tallygate/logout"), timeout=20)
    left = post(session, page, "", **hidden(page.text))
    assert left.status_code == 200
    for _ in range(2):
        replay = city.http()
        replay.cookies.update(cookies)
        again = replay.post(
            city.url("social", "/.tallygate/logout"), data=hidden(page.text), headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        assert again.status_code in {303, 403}
        assert replay.get(city.url("social", "/api/v1/me"), timeout=20).status_code == 401


def test_a_suspension_sent_twice_is_recorded_once(city: City, knocker: Knocker, before: unchanged.Before) -> None:
    pem = city.folder / "demo" / "qian.jun.pem"
    said = subprocess.run(
        ["openssl", "x509", "-in", str(pem), "-noout", "-serial"], capture_output=True, text=True, check=True
    ).stdout
    serial = said.strip().split("=")[1].lower().lstrip("0")
    desk = next(door for door in DOORS if door.label == "ca" and door.takes == "form" and not door.before)
    fields = {name: value.encode() for name, value in knocker.fields(desk).items()}
    right = hostile.form({"csrf_token": fields["csrf_token"]})
    kind = ((b"Content-Type", hostile.URLENCODED),)

    def act(verb: str, body: bytes) -> int:
        answer = knocker.knock(desk, f"/certificates/{serial}/{verb}".encode(), headers=kind, body=body)
        assert answer is not None
        return answer.status

    for body in (b"", b"csrf_token=", right[:-3], b"csrf_token=" + b"A" * 90):
        assert act("suspend", body) in {400, 403}
    assert act("revoke", right) == 400
    assert act("release", right) == 409
    assert [act("suspend", right) for _ in range(2)] == [303, 409]
    assert [act("release", right) for _ in range(2)] == [303, 409]
    # A release announces itself as an intent, like everything that grants.
    before.meant += Counter({"ca.certificate.suspended": 1, "ca.certificate.intended": 1, "ca.certificate.released": 1})


def test_half_an_import_enters_nobody(city: City, knocker: Knocker) -> None:
    desk = next(door for door in DOORS if door.name == "directory POST /import")
    fields = {name: value.encode() for name, value in knocker.fields(desk).items()}
    table = (
        b"kind,username,name,name_zh,mail,proofing_level,proofing_date,proofing_evidence\n"
        b"citizen,good.person,Good Person,,,0,,\n"
        b"citizen,bad person,Bad\x07Person,,,9,never,\n"
    )
    body = hostile.multipart(fields, [(b"file", b"people.csv", table)])
    answer = knocker.knock(desk, b"/import", headers=((b"Content-Type", hostile.MULTIPART),), body=body)
    assert answer is not None
    assert answer.status in {400, 422}
    found = knocker.visitor(desk).get(city.url("directory", "/?q=good.person", "management"), timeout=20)
    assert "Good Person" not in found.text


def test_the_city_is_as_it_was(city: City, knocker: Knocker, before: unchanged.Before) -> None:
    unchanged.check(city, before)
