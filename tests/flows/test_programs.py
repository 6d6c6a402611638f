# SPDX-License-Identifier: Apache-2.0
"""Programs at the directory: one keeps people with a token of its own, and a portal is told who works there."""

import base64
import hashlib
import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect
from urllib3 import encode_multipart_formdata

from core.jose import public_key, thumbprint
from tests.flows.city import City, until
from tests.flows.people import accessible, log_in_by_card
from tests.flows.test_journeys import Browse
from tests.signatures import documents
from tests.sso.signing import Key, jwks

NAME = "personnel"
AGENCY = "civil-affairs"


class Program:
    """A personnel system: one key by which it proves itself, and one to which its tokens are bound."""

    def __init__(self, city: City, *, name: str = NAME, here: str = "") -> None:
        self._city = city
        self._http = city.http()
        self._name = name
        self.key, self.bound = Key(), Key()
        self.here = here or city.url("directory", "", "management")

    def proof(self, method: str, url: str, *, token: str = "", nonce: str = "") -> str:
        claims: dict[str, Any] = {"htm": method, "htu": url, "iat": int(time.time()), "jti": secrets.token_hex(8)}
        if token:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        if nonce:
            claims["nonce"] = nonce
        return self.bound.sign(claims, typ="dpop+jwt", jwk=self.bound.public, kid=None)

    def token(self) -> requests.Response:
        """Ask for one; the sign-on's nonce is fetched first."""
        issuer, nonce = self._city.url("sso", ""), ""
        for _ in range(2):
            now = int(time.time())
            said = {
                "iss": self._name,
                "sub": self._name,
                "aud": issuer,
                "iat": now,
                "exp": now + 60,
                "jti": secrets.token_hex(8),
            }
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self.key.sign(said),
            }
            headers = {"DPoP": self.proof("POST", f"{issuer}/token", nonce=nonce)}
            answer = self._http.post(f"{issuer}/token", data=form, headers=headers, timeout=30)
            nonce = answer.headers.get("DPoP-Nonce", "")
            if answer.ok or not nonce:
                break
        return answer

    def ask(self, token: str, method: str, path: str, document: Any = None, *, bound: bool = True) -> int:
        body = None if document is None else json.dumps(document).encode()
        told = {"Content-Type": "application/scim+json"}
        return self._asked(token, method, f"{self.here}/scim/v2{path}", body, told, bound=bound)

    def send(
        self,
        token: str,
        path: str,
        document: bytes,
        *,
        key: str = "",
        bound: bool = True,
        media: str = "application/pdf",
    ) -> int:
        """Hand in a file."""
        told = {"Content-Type": media, **({"Idempotency-Key": key} if key else {})}
        return self._asked(token, "POST", f"{self.here}{path}", document, told, bound=bound)

    def _asked(
        self, token: str, method: str, url: str, body: bytes | None, told: dict[str, str], *, bound: bool
    ) -> int:
        headers = {"Authorization": f"{'DPoP' if bound else 'Bearer'} {token}", **told}
        if bound:
            headers["DPoP"] = self.proof(method, url.partition("?")[0], token=token)
        self.answer = self._http.request(method, url, data=body, headers=headers, timeout=30, allow_redirects=False)
        return self.answer.status_code


def test_a_personnel_system_keeps_its_agency_until_it_is_ended(city: City, tmp_path: Path) -> None:
    program, keys = Program(city), tmp_path / "keys.json"
    keys.write_text(jwks(program.key.jwk()))
    site = ("--site", str(city.configuration))
    city.tallygate("sso", "program", "enter", *site, "--name", NAME, "--title", "Personnel", "--keys", str(keys))
    try:
        told = program.token()
        assert told.ok, told.text
        token = told.json()["access_token"]
        assert told.json()["token_type"] == "DPoP"
        assert (
            thumbprint(public_key(program.bound.public))
            in base64.urlsafe_b64decode(token.split(".")[1] + "==").decode()
        )
        # Known, and let do nothing yet.
        assert program.ask(token, "GET", "/Users") == 403
        until_day = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
        let = ("--client", NAME, "--do", "read", "--do", "enter", "--do", "switch", "--organisation", AGENCY)
        city.tallygate("directory", "programs", "let", *site, *let, "--until", until_day, "--reason", "personnel files")
        assert program.ask(token, "GET", "/Users?count=3") == 200
        person = {
            "userName": f"by.program-{secrets.token_hex(3)}", "name": {"formatted": "By Program"},
            "userType": "civil-servant",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"organization": AGENCY},
        }  # fmt: skip
        assert program.ask(token, "POST", "/Users", person) == 201, program.answer.text
        subject = program.answer.json()["id"]
        off = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
        assert program.ask(token, "PATCH", f"/Users/{subject}", off) == 200
        # Not without the key, not elsewhere, not what nobody wrote down.
        assert program.ask(token, "GET", "/Users", bound=False) in (401, 403)
        assert program.ask(token, "DELETE", f"/Users/{subject}") == 403
        assert program.ask(token, "GET", "/Me") == 403
        city.tallygate("directory", "programs", "end", *site, "--client", NAME, "--reason", "a test of it")
        assert program.ask(token, "GET", "/Users") == 403
    finally:
        city.tallygate("sso", "program", "remove", *site, "--name", NAME)
    until(lambda: program.ask(token, "GET", "/Schemas") == 401, seconds=60)
    assert program.token().status_code == 401


@pytest.fixture
def accounts(city: City) -> Any:
    """What the document office holds of somebody, by the same door as the directory."""
    secret = (city.folder / "directory" / "documents.token").read_text("ascii")
    http = city.http()

    def held(username: str) -> list[bool]:
        asked = {"filter": f'userName eq "{username}"'}
        url = city.url("office-accounts", "/scim/v2/Users", "internal")
        answer = http.get(url, params=asked, headers={"Authorization": f"Bearer {secret}"}, timeout=30)
        return [each["active"] for each in answer.json()["Resources"]]

    return held


def test_whoever_is_hired_has_an_account_at_the_office_and_whoever_is_let_go_has_a_shut_one(
    city: City, browse: Browse, accounts: Any
) -> None:
    username = f"hired.{secrets.token_hex(4)}"
    desk = browse(card=city.folder / "demo" / "zhao.lei.p12").new_page()
    desk.goto(city.url("directory", f"/organisations/{AGENCY}/hire", "management"))
    log_in_by_card(desk)
    desk.get_by_label("User name").fill(username)
    desk.get_by_label("Name in Latin script").fill("Hired Today")
    option = desk.locator("#h-post option", has_text="Counter clerk").first.get_attribute("value")
    desk.locator("#h-post").select_option(option)
    desk.locator("#h-why").fill("A new clerk")
    desk.get_by_role("button", name="Hire", exact=True).click()
    expect(desk.get_by_role("heading", name="Hire somebody")).not_to_be_visible()
    until(lambda: accounts(username) == [True], seconds=120)
    desk.goto(city.url("directory", f"/?q={username}", "management"))
    desk.get_by_role("link", name="Hired Today").first.click()
    desk.get_by_role("link", name="Move, leave of absence, let go").click()
    form = desk.locator("form").filter(has=desk.get_by_role("button", name="Let go"))
    form.get_by_label("Reason").fill("Left again")
    form.get_by_role("button", name="Let go").click()
    until(lambda: accounts(username) == [False], seconds=120)
    desk.goto(city.url("directory", "/software", "management"))
    expect(desk.get_by_role("heading", name="Accounts at portals")).to_be_visible()
    accessible(desk)


def test_an_agencys_program_seals_verifies_and_is_ended(city: City, tmp_path: Path) -> None:
    name, program, keys = "letters", Program(city, name="letters", here=city.url("sign", "")), tmp_path / "keys.json"
    keys.write_text(jwks(program.key.jwk()))
    site = ("--site", str(city.configuration))
    entered = ("--at", "sign", "--name", name, "--title", "Letters", "--keys", str(keys))
    city.tallygate("sso", "program", "enter", *site, *entered)
    try:
        token = program.token().json()["access_token"]
        letter = documents.permit()
        assert program.send(token, "/agencies/v1/seal", letter) == 403, program.answer.text
        until_day = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
        let = ("--client", name, "--organisation", "document-office", "--do", "seal", "--do", "verify")
        city.tallygate("agencies", "let", *site, *let, "--until", until_day, "--reason", "letters")
        assert program.send(token, "/agencies/v1/seal", letter, key='"one-letter"') == 200, program.answer.text
        sealed = program.answer.content
        assert program.send(token, "/agencies/v1/seal", letter, key='"one-letter"') == 200
        assert program.answer.content == sealed
        assert program.send(token, "/agencies/v1/verify", sealed) == 200
        assert program.answer.json()["overall"] == "trusted"
        # A signature beside any other file, and the verdict on both together.
        table, beside = b"Zhang,1200\n", "/agencies/v1/detached?name=table.csv"
        assert program.send(token, beside, table, media="application/octet-stream") == 200, program.answer.text
        parts = {"document": program.answer.content, "content": table}
        for content, answer in ((table, "trusted"), (b"Zhang,9200\n", "not_trusted")):
            form, media = encode_multipart_formdata({n: (n, p) for n, p in {**parts, "content": content}.items()})
            assert program.send(token, "/agencies/v1/verify", form, media=media) == 200, program.answer.text
            assert program.answer.json()["overall"] == answer
        # Not the directory, not without its key, and no batch, which nobody let it have.
        assert program.send(token, "/scim/v2/Users", letter) in (401, 403, 404)
        assert program.send(token, "/agencies/v1/seal", letter, bound=False) in (401, 403)
        assert program.send(token, "/agencies/v1/batches", letter) == 403
        city.tallygate("agencies", "end", *site, "--client", name)
        assert program.send(token, "/agencies/v1/verify", sealed) == 403
        city.tallygate("agencies", "let", *site, *let, "--until", until_day, "--reason", "letters again")
    finally:
        city.tallygate("sso", "program", "remove", *site, "--name", name)
    # Whoever comes later under its name finds nothing of what it was let do.
    until(lambda: name not in city.tallygate("agencies", "list", *site).stdout, seconds=60)
