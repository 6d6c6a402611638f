# SPDX-License-Identifier: Apache-2.0
import base64
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Blueprint, Flask, render_template_string, request
from flask.testing import FlaskClient

from core.calls import PairSecrets
from core.errors import Conflict, Unavailable
from core.identity import Identity, IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, caller, create, form_text, identity, json_object
from core.web.inputs import query_text
from tests.fakes.clock import ManualClock

CLOCK = ManualClock()
KEY = ec.generate_private_key(ec.SECP256R1())
SECRET = b"s" * 32
PEER = {"Tallygate-Caller": "sso", "Tallygate-Secret": base64.b64encode(SECRET).decode()}


class Taken(Conflict):
    code = "taken"
    message = "“%(name)s” is taken."


def _guard() -> Guard:
    return Guard(
        clock=CLOCK,
        pairs=PairSecrets({"sso": SECRET, "gateway": b"g" * 32}),
        verifier=IdentityVerifier(KEY.public_key(), audience="tax.city.localhost"),
    )


def _blueprint(guard: Guard) -> Blueprint:
    blueprint = Blueprint("thing", __name__)

    @blueprint.get("/page")
    @guard.public("a test page")
    def page() -> str:
        return render_template_string(
            '{% extends "core/base.html" %}{% block title %}{{ _("Page not found") }}{% endblock %}'
        )

    @blueprint.route("/form", methods=["GET", "POST"])
    @guard.public("a test form")
    def form() -> str:
        if request.method == "POST":
            return form_text("name", longest=10)
        return render_template_string('<input name="csrf_token" value="{{ csrf_token() }}">')

    @blueprint.post("/file")
    @guard.peer("sso")
    def file() -> dict[str, object]:
        request.max_content_length = 2 << 20
        return {"size": len(request.files["document"].read())}

    @blueprint.get("/words")
    @guard.public("shows what somebody sent")
    def words() -> str:
        return render_template_string(
            "{{ said | in_words }}|{{ _(said) }}|{{ _('Page: %(said)s', said=said) }}|"
            "{{ ngettext('%(num)s entry', '%(num)s entries', 2) }}|{{ '' | in_words }}|",
            said=query_text("said"),
        )

    @blueprint.get("/boom")
    @guard.public("raises what it should not")
    def boom() -> str:
        raise ZeroDivisionError("secret detail")

    @blueprint.get("/taken")
    @guard.public("raises an error of ours")
    def taken() -> str:
        raise Taken(name="<b>")

    @blueprint.get("/down")
    @guard.public("raises unavailable", errors="problem")
    def down() -> str:
        raise Unavailable

    @blueprint.get("/oauth")
    @guard.own("answers like a token endpoint", errors="oauth")
    def oauth() -> str:
        raise Taken(name='"x"\\')

    @blueprint.post("/api")
    @guard.peer("sso")
    def api() -> dict[str, object]:
        return {"caller": caller(), "sent": json_object(longest=100)}

    @blueprint.route("/me", methods=["GET", "POST"])
    @guard.person("citizen", assurance=2)
    def me() -> str:
        return identity().subject

    return blueprint


@pytest.fixture
def site(tmp_path: Path) -> SiteSettings:
    return SiteSettings(
        name="city",
        domain="city.localhost",
        title="Sample City",
        title_zh="示例市",
        state=tmp_path,
        ports=Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=8636),
    )


@pytest.fixture
def make(site: SiteSettings) -> Callable[..., Flask]:
    def build(*blueprints: Blueprint, **more: object) -> Flask:
        guard = _guard()
        return create(
            "thing",
            site=site,
            guard=guard,
            session_key=b"k" * 32,
            blueprints=[*blueprints, _blueprint(guard)],
            **more,  # type: ignore[arg-type]  # tests override one thing of a good default
        )

    return build


@pytest.fixture
def client(make: Callable[..., Flask]) -> FlaskClient:
    return make().test_client()


def _identity_header(path: str, method: str = "GET", **changes: object) -> dict[str, str]:
    fields: dict[str, object] = {
        "subject": "u1",
        "kind": "person",
        "session": "s",
        "roles": frozenset({"citizen"}),
        "assurance": 2,
        "methods": ("pwd",),
        "zone": "external",
        "decision": "d",
    }
    chosen = Identity(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name
    header = IdentityIssuer(KEY).issue(chosen, audience="tax.city.localhost", method=method, path=path, at=CLOCK.now())
    return {"Tallygate-Identity": header}


def test_an_endpoint_without_a_guard_stops_the_start(make: Callable[..., Flask]) -> None:
    bare = Blueprint("bare", __name__)
    bare.add_url_rule("/bare", "bare", lambda: "open")
    with pytest.raises(RuntimeError, match=r"bare\.bare"):
        make(bare)


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/page", "/absent", "/boom", "/static/tallygate.css"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch(r"[0-9a-f]{16}", headers["Tallygate-Request"])


def test_a_file_in_a_form_touches_no_disk(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody's document would lie there readable, though nobody asked for it to be kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    head = b'--edge\r\nContent-Disposition: form-data; name="document"; filename="will.pdf"\r\n\r\n'
    form = head + b"x" * (1 << 20) + b"\r\n--edge--\r\n"
    answer = client.post("/file", headers=PEER, data=form, content_type="multipart/form-data; boundary=edge")
    assert answer.json == {"size": 1 << 20}


def test_a_page_has_no_inline_code(client: FlaskClient) -> None:
    page = client.get("/page").text
    assert "<script" not in page
    assert "style=" not in page
    assert 'lang="en"' in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_somebody_sent_is_never_markup_even_when_translated(client: FlaskClient, language: str) -> None:
    page = client.get("/words", query_string={"said": "<script>100%(x)s</script>", "lang": language}).text
    escaped = "&lt;script&gt;100%(x)s&lt;/script&gt;"
    assert page == f"{escaped}|{escaped}|Page: {escaped}|2 entries||"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_text_held_in_a_value_is_translated(client: FlaskClient, language: str) -> None:
    page = client.get("/words", query_string={"said": "Page not found", "lang": language}).text
    assert page.startswith("页面不存在|页面不存在|" if language == "zh" else "Page not found|Page not found|")


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "expected"),
    [
        ("", "", "", "en"),
        ("", "", "zh-CN,zh;q=0.9", "zh-Hans"),
        ("", "", "fr,en;q=0.5", "en"),
        ("", "zh", "en", "zh-Hans"),
        ("?lang=en", "zh", "zh", "en"),
        ("?lang=zh", "en", "en", "zh-Hans"),
        ("?lang=xx", "", "zh", "zh-Hans"),
    ],
)
def test_language_is_chosen_by_link_then_cookie_then_browser(
    client: FlaskClient, query: str, cookie: str, accept: str, expected: str
) -> None:
    if cookie:
        client.set_cookie("__Host-lang", cookie)
    assert f'lang="{expected}"' in client.get(f"/page{query}", headers={"Accept-Language": accept}).text


def test_the_link_is_remembered(client: FlaskClient) -> None:
    assert "页面不存在" in client.get("/page?lang=zh").text or client.get_cookie("__Host-lang")
    cookie = client.get_cookie("__Host-lang")
    assert cookie is not None
    assert cookie.secure
    assert cookie.http_only


def test_a_form_needs_its_token(client: FlaskClient) -> None:
    refused = client.post("/form", data={"name": "x"}, base_url="https://localhost")
    assert (refused.status_code, "form_expired" in refused.text) == (403, True)
    page = client.get("/form", base_url="https://localhost").text
    token = re.findall('value="([^"]+)"', page)[0]
    sent = client.post(
        "/form",
        data={"name": "x", "csrf_token": token},
        base_url="https://localhost",
        headers={"Referer": "https://localhost/form"},
    )
    assert (sent.status_code, sent.text) == (200, "x")
    foreign = client.post(
        "/form",
        data={"name": "x", "csrf_token": token},
        base_url="https://localhost",
        headers={"Referer": "https://evil.example/"},
    )
    assert foreign.status_code == 403


@pytest.mark.parametrize("values", [{"name": ["a", "b"]}, {"name": "x" * 11}, {"name": "a\x00b"}, {}])
def test_a_field_is_read_strictly(make: Callable[..., Flask], values: dict[str, object]) -> None:
    app = make()
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post("/form", data=values)
    assert (answer.status_code, "malformed" in answer.text) == (400, True)


def test_an_unexpected_error_tells_nothing(client: FlaskClient) -> None:
    answer = client.get("/boom")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text


def test_our_errors_become_pages_problems_and_oauth_errors(client: FlaskClient) -> None:
    page = client.get("/taken", headers={"Accept": "text/html"})
    assert (page.status_code, "“&lt;b&gt;” is taken." in page.text) == (409, True)
    problem = client.get("/taken", headers={"Accept": "application/json"})
    assert problem.content_type == "application/problem+json"
    assert problem.json is not None
    assert set(problem.json) >= {"type", "title", "status", "detail", "code", "instance"}
    assert problem.json["code"] == "taken"
    oauth = client.get("/oauth")
    assert oauth.json == {"error": "invalid_request", "error_description": "x is taken."}
    down = client.get("/down")
    assert (down.status_code, down.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/absent", 404), ("DELETE", "/page", 405), ("POST", "/page", 405), ("GET", "/page/", 404)],
)
def test_wrong_addresses_and_methods(client: FlaskClient, method: str, path: str, status: int) -> None:
    assert client.open(path, method=method).status_code == status


def test_peers_come_in_by_their_secret_only(client: FlaskClient) -> None:
    assert client.post("/api", json={"a": 1}, headers=PEER).json == {"caller": "sso", "sent": {"a": 1}}
    wrong = base64.b64encode(b"x" * 32).decode()
    gateway = base64.b64encode(b"g" * 32).decode()
    for headers, status in (
        ({}, 401),
        ({**PEER, "Tallygate-Secret": wrong}, 401),
        ({**PEER, "Tallygate-Secret": "%%%"}, 401),
        ({**PEER, "Tallygate-Caller": "stranger"}, 401),
        ({"Tallygate-Caller": "gateway", "Tallygate-Secret": gateway}, 403),
    ):
        assert client.post("/api", json={}, headers=headers).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"a":1,"a":2}',
        b"\xff",
        b'{"a":"' + b"x" * 100 + b'"}',
        b"[" * 100,
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
    ],
)
def test_json_is_read_strictly(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api", data=body, content_type="application/json", headers=PEER)
    assert (answer.status_code, (answer.json or {})["code"]) == (400, "malformed")


def test_a_body_over_the_limit_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api", data=b" " * (2 << 20), content_type="application/json", headers=PEER)
    assert answer.status_code == 413


def test_persons_come_in_by_the_gateways_word_only(client: FlaskClient) -> None:
    assert client.get("/me", headers=_identity_header("/me")).text == "u1"
    assert client.get("/me?x=1", headers=_identity_header("/me?x=1")).text == "u1"
    assert client.get("/me").status_code == 401
    assert client.get("/me", headers=_identity_header("/other")).status_code == 401
    for changes in ({"roles": frozenset({"clerk"})}, {"assurance": 1}, {"kind": "device"}):
        assert client.get("/me", headers=_identity_header("/me", **changes)).status_code == 403


def test_a_person_cannot_be_made_to_post(client: FlaskClient) -> None:
    answer = client.post("/me", headers=_identity_header("/me", method="POST"), base_url="https://localhost")
    assert answer.status_code == 403


def test_readiness_follows_the_role(make: Callable[..., Flask]) -> None:
    def not_yet() -> None:
        raise Unavailable

    client = make(ready=not_yet).test_client()
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert make().test_client().get("/readyz").text == "ready\n"


def test_readiness_tells_what_waits_also_when_the_role_cannot_work(make: Callable[..., Flask]) -> None:
    def not_yet() -> None:
        raise Unavailable

    def standing() -> dict[str, int]:
        return {"outbox_waiting": 3, "outbox_oldest_seconds": 90}

    good = make(standing=standing).test_client().get("/readyz")
    assert (good.status_code, good.text) == (200, "ready\noutbox_waiting 3\noutbox_oldest_seconds 90\n")
    bad = make(ready=not_yet, standing=standing).test_client().get("/readyz")
    assert (bad.status_code, (bad.json or {})["parameters"]) == (503, standing())
    for ready in (not_yet, lambda: None):
        worse = make(ready=ready, standing=not_yet).test_client().get("/readyz")
        assert (worse.status_code, (worse.json or {})["parameters"]) == (503, {})
