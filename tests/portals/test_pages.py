# SPDX-License-Identifier: Apache-2.0
"""A portal greets only whom both the gateway and the sign-on name, in the same session."""

import os
import re
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.errors import from_problem
from core.identity import IdentityVerifier
from portals import Portal, documents, social, tax
from tests.fakes.sign_on_server import SignOnServer

from .conftest import CLOCK, HOST, KEY, ORIGIN, Build, Headers, Seals, browser


def get(client: FlaskClient, path: str, headers: dict[str, str] | None = None) -> TestResponse:
    return client.get(path, base_url=ORIGIN, headers={"Accept": "text/html", **(headers or {})})


def log_in(client: FlaskClient, sign_on: SignOnServer, header: Headers, **changes: object) -> TestResponse:
    asked = get(client, "/me", header("/me", **changes))
    assert asked.status_code == 302
    return get(client, f"/callback?{sign_on.log_in(asked.location)}")


def test_the_landing_page_is_for_everybody(client: FlaskClient) -> None:
    page = get(client, "/")
    assert page.status_code == 200
    assert 'href="/me"' in page.text
    assert "Log in" in page.text
    assert "登录" in get(client, "/?lang=zh").text


@pytest.mark.parametrize("portal", [tax.PORTAL, social.PORTAL, documents.PORTAL], ids=lambda portal: portal.name)
def test_the_landing_page_knows_who_is_logged_in(
    build: Build, sign_on: SignOnServer, header: Headers, portal: Portal
) -> None:
    client = browser(build(portal))
    # The gateway knows the person from a neighbour; this portal does not know the name yet.
    page = get(client, "/", header("/"))
    assert "You are logged in." in page.text
    assert 'href="/logout"' in page.text
    log_in(client, sign_on, header)
    page = get(client, "/", header("/"))
    assert "You are logged in as Li Na." in page.text
    assert "Go to your page" in page.text
    assert "Log in<" not in page.text
    # A header of another session, a device, another page or an old one names nobody here.
    assert "Li Na" not in get(client, "/", header("/", session="s2")).text
    for nobody in (header("/", kind="device"), header("/me"), header("/", audience="x.city.localhost"), {}):
        page = get(client, "/", nobody)
        assert (page.status_code, "Log in<" in page.text) == (200, True)
        assert "logged in" not in page.text
        assert 'href="/logout"' not in page.text
    # Looking at the landing page ends nothing.
    assert "李娜" in get(client, "/?lang=zh", header("/?lang=zh")).text
    assert get(client, "/me", header("/me")).status_code == 200


def test_nobody_gets_in_beside_the_gateway(client: FlaskClient) -> None:
    assert get(client, "/me").status_code == 401
    assert get(client, "/api/v1/me").status_code == 401


def test_a_header_for_another_host_path_or_machine_is_refused(client: FlaskClient, header: Headers) -> None:
    assert get(client, "/me", header("/me", audience="social.city.localhost")).status_code == 401
    assert get(client, "/me", header("/")).status_code == 401
    assert get(client, "/me", header("/me", kind="device")).status_code == 403


def test_a_person_logs_in_and_is_greeted_by_name(client: FlaskClient, sign_on: SignOnServer, header: Headers) -> None:
    back = log_in(client, sign_on, header)
    assert (back.status_code, back.location) == (303, "/me")
    page = get(client, "/me", header("/me"))
    assert page.status_code == 200
    assert "Li Na" in page.text
    assert "d-77" in page.text
    assert "https://social.city.localhost/me" in page.text
    assert "https://sso.city.localhost/account" in page.text
    assert "李娜" in get(client, "/me?lang=zh", header("/me?lang=zh")).text


def test_the_login_uses_pkce_s256_state_and_nonce(client: FlaskClient, header: Headers) -> None:
    asked = parse_qs(urlsplit(get(client, "/me", header("/me")).location).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [f"{ORIGIN}/callback"]
    assert asked["scope"] == ["openid profile mandate"]
    assert len(asked["state"][0]) >= 16
    assert len(asked["nonce"][0]) >= 16


def test_no_token_is_kept_in_the_browser(client: FlaskClient, sign_on: SignOnServer, header: Headers) -> None:
    log_in(client, sign_on, header)
    with client.session_transaction(base_url=ORIGIN) as kept:
        assert set(kept) == {"visitor", "asked"}
        assert set(kept["visitor"]) == {
            "subject", "session", "name", "name_zh", "acting", "principal", "principal_zh"
        }  # fmt: skip


def test_a_cookie_of_another_release_is_nobody_s_and_no_error(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header)
    with client.session_transaction(base_url=ORIGIN) as kept:
        kept["visitor"] = {"subject": "u1", "nickname": "x"}
    assert get(client, "/me", header("/me")).status_code in {302, 409}


@pytest.mark.parametrize("change", [{"session": "s2"}, {"subject": "u2"}, {"session": "s2", "subject": "u2"}])
def test_another_session_s_header_drops_the_portal_s_session(
    client: FlaskClient, sign_on: SignOnServer, header: Headers, change: dict[str, str]
) -> None:
    log_in(client, sign_on, header)
    assert get(client, "/me", header("/me")).status_code == 200
    again = get(client, "/me", header("/me", **change))
    assert again.status_code == 302
    assert again.location.startswith(sign_on.issuer)
    with client.session_transaction(base_url=ORIGIN) as kept:
        assert "visitor" not in kept


def test_two_different_logins_end_in_a_page_and_not_in_a_loop(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header, session="s2")
    page = get(client, "/me", header("/me", session="s2"))
    assert page.status_code == 409
    assert "logged in twice" in page.text
    assert get(client, "/me", header("/me", session="s2")).status_code == 302


def test_a_code_brought_to_another_browser_is_refused(
    client: FlaskClient, build: Build, sign_on: SignOnServer, header: Headers
) -> None:
    query = sign_on.log_in(get(client, "/me", header("/me")).location)
    assert get(browser(build()), f"/callback?{query}").status_code == 401


def test_a_callback_works_once(client: FlaskClient, sign_on: SignOnServer, header: Headers) -> None:
    query = sign_on.log_in(get(client, "/me", header("/me")).location)
    assert get(client, f"/callback?{query}").status_code == 303
    assert get(client, f"/callback?{query}").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "state=x",
        "code=x&state=y",
        "code=&state=",
        "error=server_error",
        "error=server_error&error_description=%00",
        "code=x&code=y&state=z",
        "state=%ff%fe&code=%ff",
        "code=" + "x" * 5000 + "&state=y",
    ],
)
def test_a_malformed_callback_is_refused(client: FlaskClient, header: Headers, query: str) -> None:
    get(client, "/me", header("/me"))
    assert get(client, f"/callback?{query}").status_code == 401


def test_a_wrong_code_with_the_right_state_is_refused(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    query = sign_on.log_in(get(client, "/me", header("/me")).location)
    state = query.partition("&")[2]
    assert get(client, f"/callback?code=stolen&{state}").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"aud": "social"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1_000_000_000},
        {"sid": ""},
        {"sub": "u2"},
    ],
)
def test_an_id_token_for_somebody_or_something_else_is_refused(
    client: FlaskClient, sign_on: SignOnServer, header: Headers, changes: dict[str, object]
) -> None:
    sign_on.token_changes = changes
    assert log_in(client, sign_on, header).status_code == 401
    with client.session_transaction(base_url=ORIGIN) as kept:
        assert "visitor" not in kept


def test_refusing_consent_is_explained(client: FlaskClient, header: Headers) -> None:
    get(client, "/me", header("/me"))
    page = get(client, "/callback?error=access_denied&state=x")
    assert page.status_code == 403
    assert "did not agree" in page.text


def test_a_sign_on_of_a_foreign_root_is_not_believed(build: Build, header: Headers, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("", "utf-8")
    assert get(browser(build(roots=empty)), "/me", header("/me")).status_code == 503


def test_the_environment_cannot_widen_trust(
    build: Build, sign_on: SignOnServer, header: Headers, tmp_path: Path
) -> None:
    with mock.patch.dict(os.environ, {"REQUESTS_CA_BUNDLE": str(sign_on.root), "HTTPS_PROXY": "http://127.0.0.1:9"}):
        assert get(browser(build(roots=tmp_path / "nothing.pem")), "/me", header("/me")).status_code == 503
        assert get(browser(build()), "/me", header("/me")).status_code == 302


def test_a_silent_sign_on_is_temporary(build: Build, header: Headers) -> None:
    page = get(browser(build(issuer="https://127.0.0.1:1")), "/me", header("/me"))
    assert page.status_code == 503
    assert page.headers["Retry-After"]


def test_many_logins_begun_do_not_fill_the_cookie(client: FlaskClient, header: Headers) -> None:
    for _ in range(20):
        assert get(client, "/me", header("/me")).status_code == 302
    with client.session_transaction(base_url=ORIGIN) as kept:
        assert len([name for name in kept if name.startswith("_state_")]) == 1


def test_logging_out_forgets_and_goes_to_the_gateway(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header)
    away = get(client, "/logout")
    assert (away.status_code, away.location) == (303, "/.tallygate/logout")
    assert get(client, "/me", header("/me")).status_code == 302


def test_a_forged_cookie_is_nobody(client: FlaskClient, header: Headers) -> None:
    client.set_cookie("__Host-portal-tax", "eyJ2aXNpdG9yIjp7fX0.x.y", domain="tax.city.localhost", secure=True)
    assert get(client, "/me", header("/me")).status_code == 302


def test_programs_get_json_and_problems(client: FlaskClient, header: Headers) -> None:
    answer = get(client, "/api/v1/me", header("/api/v1/me"))
    assert answer.json is not None
    assert answer.json["subject"] == "u1"
    assert answer.json["portal"] == "tax"
    assert answer.json["content"]["year"] == 2025
    assert get(client, "/api/v1/me").content_type == "application/problem+json"


def test_a_device_is_told_who_it_is_and_a_person_is_not(client: FlaskClient, header: Headers) -> None:
    path, audience = "/api/device/v1/me", "xtax.city.localhost"
    answer = get(client, path, header(path, audience=audience, kind="device", subject="meter", session=""))
    assert answer.json == {"device": "meter", "zone": "external", "decision": "d-77"}
    assert get(client, path, header(path, audience=audience)).status_code == 403
    assert get(client, path, header(path, kind="device")).status_code == 401
    assert get(client, path).status_code == 401


def test_every_portal_shows_its_own_content(build: Build, sign_on: SignOnServer, header: Headers) -> None:
    for portal, word in ((social.PORTAL, "Months paid"), (documents.PORTAL, "Download PDF")):
        client = browser(build(portal))
        log_in(client, sign_on, header)
        assert word in get(client, "/me", header("/me")).text


def test_a_document_is_for_civil_servants_with_a_certificate(client: FlaskClient, header: Headers) -> None:
    path, servant = "/documents/budget.pdf", frozenset({"civil-servant"})
    file = get(client, path, header(path, roles=servant, assurance=2))
    assert file.data.startswith(b"%PDF-1.7")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert get(client, path, header(path, roles=servant, assurance=1)).status_code == 403
    assert get(client, path, header(path, assurance=2)).status_code == 403
    missing = "/documents/nothing.pdf"
    assert get(client, missing, header(missing, roles=servant, assurance=2)).status_code == 404


SERVANT: dict[str, object] = {"roles": frozenset({"civil-servant"}), "assurance": 2}
SEAL = "/documents/budget/seal"


def press(
    client: FlaskClient, sign_on: SignOnServer, header: Headers, path: str = SEAL, *, token: bool = True
) -> TestResponse:
    """The button on the clerk's own page."""
    log_in(client, sign_on, header, **SERVANT)
    page = get(client, "/me", header("/me", **SERVANT))
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return client.post(
        path,
        base_url=ORIGIN,
        data={"csrf_token": found[1]} if token else {},
        headers={"Accept": "text/html", "Referer": f"{ORIGIN}/me", **header(path, method="POST", **SERVANT)},
    )


def test_a_clerk_has_a_document_sealed_under_the_gateway_s_word(
    build: Build, sign_on: SignOnServer, header: Headers, seal: Seals
) -> None:
    answer = press(browser(build(documents.PORTAL)), sign_on, header)
    assert answer.status_code == 200
    assert answer.data.endswith(b"% sealed")
    assert "-sealed.pdf" in answer.headers["Content-Disposition"]
    ((document, identity),) = seal.asked
    assert document.startswith(b"%PDF-1.7")
    found = IdentityVerifier(KEY.public_key(), audience=HOST).verify_passed_on(identity, at=CLOCK.now())
    assert (found.subject, found.decision) == ("u1", "d-77")


def test_no_other_site_s_page_presses_the_button(
    build: Build, sign_on: SignOnServer, header: Headers, seal: Seals
) -> None:
    client = browser(build(documents.PORTAL))
    assert press(client, sign_on, header, token=False).status_code == 403
    unknown = press(browser(build(documents.PORTAL)), sign_on, header, "/documents/nothing/seal")
    assert unknown.status_code == 404
    assert client.post(SEAL, base_url=ORIGIN, headers=header(SEAL, method="POST", **SERVANT)).status_code == 403
    assert client.post(SEAL, base_url=ORIGIN, headers=header(SEAL, method="POST")).status_code == 403
    assert client.post(SEAL, base_url=ORIGIN).status_code == 401
    assert client.get(SEAL, base_url=ORIGIN, headers=header(SEAL, **SERVANT)).status_code in {404, 405}
    assert seal.asked == []


def test_a_refusal_of_the_signatures_role_is_a_page(
    build: Build, sign_on: SignOnServer, header: Headers, seal: Seals
) -> None:
    refusal = {"code": "seal_denied", "message": "You may not use the seal of this organisation.", "parameters": {}}
    seal.error = from_problem(403, refusal)
    page = press(browser(build(documents.PORTAL)), sign_on, header)
    assert (page.status_code, page.mimetype) == (403, "text/html")
    assert "You may not use the seal" in page.text


MILL = "organisation:mill:tax"
OF_MILL = {"kind": "organisation", "id": "mill", "service": "tax"}


def acting(sign_on: SignOnServer, claim: object, **names: str) -> None:
    """Whoever logs in from now on says this of whom they act for."""
    sign_on.claims = {"sub": "u1", "sid": "s1", **({"on_behalf_of": claim} if claim else {})}
    about = {"on_behalf_of": {**claim, **names}} if isinstance(claim, dict) else {}
    sign_on.about = {"sub": "u1", "name": "Li Na", "name_zh": "李娜", **about}


def test_whose_record_is_shown_is_declared_before_with_the_gateway_s_word(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header)
    assert sign_on.declared == []
    sent = header("/me")
    assert get(client, "/me", sent).status_code == 200
    said = {"decision": "d-77", "subject": "u1", "purpose": "self-service", "identity": sent["Tallygate-Identity"]}
    assert sign_on.declared == [said]
    sent = header("/api/v1/me")
    assert get(client, "/api/v1/me", sent).status_code == 200
    assert sign_on.declared[1:] == [{**said, "identity": sent["Tallygate-Identity"]}]


@pytest.mark.parametrize(("answer", "status"), [(503, 503), (500, 503), (401, 503), (302, 503), (400, 403)])
def test_without_a_receipt_nothing_is_shown(
    client: FlaskClient, sign_on: SignOnServer, header: Headers, answer: int, status: int
) -> None:
    log_in(client, sign_on, header)
    sign_on.receipts = answer
    for path in ("/me", "/api/v1/me"):
        page = get(client, path, header(path))
        assert page.status_code == status
        assert "yuan" not in page.text
        assert "income" not in page.text


def test_without_an_answer_nothing_is_shown(build: Build, sign_on: SignOnServer, header: Headers) -> None:
    client = browser(build(issuer="https://127.0.0.1:1"))
    assert get(client, "/api/v1/me", header("/api/v1/me")).status_code == 503
    assert sign_on.declared == []


def test_whoever_acts_for_a_company_sees_its_record_and_that_it_is_so(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header)
    own = get(client, "/me", header("/me")).text
    assert sign_on.asked[-1]["scope"] == "openid profile mandate"
    assert sign_on.asked[-1]["acting"] == "self"
    assert 'href="/.tallygate/login?to=/me&amp;acting=choose"' in own
    assert "For yourself" in own
    # Chosen at the gateway: what this portal knew counts no more, and it learns the same.
    acting(sign_on, OF_MILL, name="Mill Ltd", name_zh="磨坊")
    log_in(client, sign_on, header, on_behalf_of=MILL)
    assert sign_on.asked[-1]["acting"] == MILL
    page = get(client, "/me", header("/me", on_behalf_of=MILL)).text
    assert "You act for Mill Ltd." in page
    assert "你代表磨坊" in get(client, "/me?lang=zh", header("/me?lang=zh", on_behalf_of=MILL)).text
    assert (sign_on.declared[-1]["subject"], sign_on.declared[-1]["purpose"]) == ("mill", "representation")
    numbers = [re.findall(r"<dd>([0-9,]+) yuan", text) for text in (own, page)]
    assert numbers[0] != numbers[1]
    told = get(client, "/api/v1/me", header("/api/v1/me", on_behalf_of=MILL)).json
    assert told is not None
    assert (told["subject"], told["on_behalf_of"]) == ("u1", MILL)
    # Over at the gateway, it is over here: the company's page is not shown to whoever is only themselves.
    assert get(client, "/me", header("/me")).status_code == 302


def test_whoever_keeps_from_a_portal_for_whom_they_act_is_told_so_and_not_sent_in_circles(
    client: FlaskClient, sign_on: SignOnServer, header: Headers
) -> None:
    log_in(client, sign_on, header, on_behalf_of=MILL)
    page = get(client, "/me", header("/me", on_behalf_of=MILL))
    assert page.status_code == 409
    assert "do not share that with this service" in page.text


@pytest.mark.parametrize("claim", ["mill", ["mill"], {"kind": "organisation"}])
def test_a_claim_that_cannot_be_read_makes_nobody_themselves(
    client: FlaskClient, sign_on: SignOnServer, header: Headers, claim: object
) -> None:
    acting(sign_on, claim)
    assert log_in(client, sign_on, header).status_code == 401


def test_where_nobody_acts_for_others_nothing_is_shown_to_whoever_does(
    build: Build, sign_on: SignOnServer, header: Headers
) -> None:
    client = browser(build(documents.PORTAL))
    log_in(client, sign_on, header, on_behalf_of=MILL)
    assert sign_on.asked[-1]["scope"] == "openid profile"
    assert get(client, "/me", header("/me", on_behalf_of=MILL)).status_code == 403
    assert sign_on.declared == []
