# SPDX-License-Identifier: Apache-2.0
"""The gateway's own pages at every guarded host: log in, come back, log out, and why access was denied.

Only nginx reaches them, and it alone says which host and listener the browser is at.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from core.calls import PairSecrets
from core.jose import ALGORITHMS
from core.web import Guard, _, locale
from core.web.inputs import query_text

from ..config import SESSION_COOKIE
from ..errors import BadLogin, BadReturn, BadTarget, Reason
from ..models import Login
from ..request import return_path, target
from ..service.login import Logins
from ..service.resources import Resources
from .remedies import Offer, read
from .through import host, listener, through_proxy
from .words import WORDS, Words

_PENDING = "logins"
_MOST_PENDING = 3
"""Logins one browser may have begun: one for each of a few tabs, and no more than a cookie can carry."""
_LEVELS = ("0", "1", "2", "3")
_UNAUTHORIZED, _UNAVAILABLE, _SEE_OTHER = 401, 503, 303
_WHY = "nginx names host and listener by its pair secret; the visitor is nobody yet"


def blueprint(
    service: Logins,
    guard: Guard,
    *,
    proxy: PairSecrets,
    sign_on: str,
    enrol: str,
    keys: Callable[[], Mapping[str, object]],
    resources: Resources,
) -> Blueprint:
    """The pages; ``sign_on`` is the origin that forms may lead to, ``keys`` tells the set for the identity header.

    ``enrol`` is where devices get their certificates.
    """
    pages = Blueprint("gateway", __name__, template_folder="../templates", url_prefix="/.tallygate")

    @pages.before_request
    def through_nginx() -> None:
        through_proxy(proxy)

    @pages.get("/login")
    @guard.own(_WHY)
    def login() -> ResponseReturnValue:
        acr = query_text("acr", longest=1) or "0"
        if acr not in _LEVELS:
            raise BadLogin
        begun, address = service.begin(
            host=host(),
            listener=listener(),
            to=query_text("to", longest=4096) or "/",
            acr=int(acr),
            acting=query_text("acting", longest=10) == "choose",
        )
        pending = dict(session.get(_PENDING, {}))
        while len(pending) >= _MOST_PENDING:
            pending.pop(min(pending, key=lambda state: int(pending[state]["begun"])))
        pending[begun.state] = asdict(begun)
        session[_PENDING] = pending
        return redirect(address, code=_SEE_OTHER)

    @pages.get("/callback")
    @guard.own(_WHY)
    def callback() -> ResponseReturnValue:
        state = query_text("state", longest=100)
        pending = dict(session.get(_PENDING, {}))
        begun = _login(pending.pop(state, None))
        # Whatever the answer, a login is finished once.
        session[_PENDING] = pending
        if begun.host != host() or begun.listener != listener():
            raise BadLogin
        code, issuer = query_text("code", longest=500), query_text("iss", longest=300)
        if not code:
            service.give_up(begun, state=state, issuer=issuer)
            return _not_finished(begun)
        cookie = service.finish(
            begun,
            code=code,
            state=state,
            issuer=issuer,
            address=request.headers.get("X-Client-Address", ""),
            old_cookie=request.cookies.get(SESSION_COOKIE, ""),
        )
        response = redirect(begun.to, code=_SEE_OTHER)
        response.set_cookie(SESSION_COOKIE, cookie, secure=True, httponly=True, samesite="Lax", path="/")
        return response

    @pages.get("/keys")
    @guard.public("the keys that the identity header is signed with; hosts check it with software of their own")
    def identity_keys() -> Response:
        response: Response = jsonify(keys())
        response.headers["Cache-Control"] = "public, max-age=300"
        return response

    @pages.get("/logout")
    @guard.own(_WHY)
    def ask() -> str:
        g.form_targets = (sign_on,)
        return render_template("gateway/logout.html")

    @pages.post("/logout")
    @guard.own(_WHY)
    def logout() -> ResponseReturnValue:
        g.form_targets = (sign_on,)
        address = service.leave(request.cookies.get(SESSION_COOKIE, ""), host=host(), listener=listener())
        response = redirect(address, code=_SEE_OTHER)
        response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="Lax", path="/")
        return response

    @pages.get("/denied")
    @guard.own(_WHY)
    def denied() -> ResponseReturnValue:
        return _denied(resources.address(host=host(), listener=listener()), enrol)

    return pages


def _login(stored: Any) -> Login:
    # The cookie is signed by us, but perhaps by an older version of us.
    try:
        return Login(**stored)
    except TypeError as error:
        raise BadLogin from error


def _not_finished(begun: Login) -> ResponseReturnValue:
    page = render_template(
        "gateway/not_finished.html",
        again=_login_address(begun.to),
        refused=query_text("error", longest=60) == "access_denied",
    )
    return Response(page, status=403)


def _denied(about: str, enrol: str) -> ResponseReturnValue:
    """``about`` is where the host tells which tokens it takes; empty if it takes none."""
    try:
        reason = Reason(request.headers.get("Tallygate-Reason", ""))
    except ValueError:
        reason = Reason.UNAVAILABLE
    words = WORDS[reason]
    back = _back()
    offers = read(request.headers.get("Tallygate-Could", ""), back=back, enrol=enrol)
    page = _wants_page()
    if reason is Reason.LOGIN and page and request.headers.get("X-Original-Method") in ("GET", "HEAD"):
        response: Response = redirect(_login_address(back), code=302)  # type: ignore[assignment]  # Flask's own subclass
    elif page:
        response = Response(_page(reason, words, back, offers))
        response.status_code = words.status
    else:
        response = _problem(reason, words, offers)
    if words.status == _UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    if response.status_code == _UNAUTHORIZED:
        _challenge(response, "", about)
    elif reason is Reason.STEP_UP and not page and "Authorization" in request.headers:
        response = _stronger(response, about)
    return response


def _stronger(response: Response, about: str) -> Response:
    """A program is told how surely its person has to log in for a token that would do (RFC 9470 section 3)."""
    level = request.headers.get("Tallygate-Step-Up", "")
    if level in _LEVELS:
        response.status_code = _UNAUTHORIZED
        response.set_data(json.dumps({**response.get_json(), "status": _UNAUTHORIZED}))
        _challenge(response, f', error="insufficient_user_authentication", acr_values="{level}"', about)
    return response


def _challenge(response: Response, more: str, about: str) -> None:
    """Both ways in which a token may be presented, and where that is told (RFC 9728 section 5.1)."""
    more += f', resource_metadata="{about}"' if about else ""
    response.headers["WWW-Authenticate"] = f'Bearer realm="tallygate"{more}'
    response.headers.add("WWW-Authenticate", f'DPoP realm="tallygate", algs="{" ".join(ALGORITHMS)}"{more}')


def _page(reason: Reason, words: Words, back: str, offers: Sequence[Offer]) -> str:
    step_up = request.headers.get("Tallygate-Step-Up", "")
    return render_template(
        "gateway/denied.html",
        reason=reason.value,
        title=_(words.title),
        why=_(words.why),
        advice=_(words.advice),
        offers=words.offers,
        # What has a button of its own is not said twice.
        could=[each for each in offers if each.kind.replace("_", "-") not in words.offers],
        login=_login_address(back),
        step_up=_login_address(back, acr=step_up if step_up in _LEVELS else "2"),
        back=back,
        decision=request.headers.get("Tallygate-Decision", "")[:32],
        other_language=_other_language(back),
    )


def _problem(reason: Reason, words: Words, offers: Sequence[Offer]) -> Response:
    response = jsonify(
        {
            "type": f"urn:tallygate:error:{reason.value}",
            "title": words.title,
            "status": words.status,
            "detail": f"{words.why} {words.advice}",
            "code": reason.value,
            "message": words.why,
            "parameters": {},
            "could": [_remedy(each) for each in offers],
            "instance": f"urn:tallygate:decision:{request.headers.get('Tallygate-Decision', '')}",
        }
    )
    response.status_code = words.status
    response.content_type = "application/problem+json"
    return response


def _remedy(offer: Offer) -> dict[str, str]:
    told = {"kind": offer.kind, "value": offer.value, "message": offer.words, "address": offer.address}
    return {name: value for name, value in told.items() if value}


def _back() -> str:
    """The page that was asked for, if it can be returned to."""
    try:
        return return_path(request.headers.get("X-Original-URI", ""))
    except BadReturn:
        return "/"


def _login_address(to: str, *, acr: str = "") -> str:
    query = {"to": to, **({"acr": acr} if acr else {})}
    return f"/.tallygate/login?{urlencode(query)}"


def _other_language(back: str) -> dict[str, str]:
    """As on every page, but for the address the visitor sees."""
    code, name, tag = ("en", "English", "en") if locale() == "zh" else ("zh", "简体中文", "zh-Hans")
    try:
        path = target("GET", back).raw.partition("?")[0]
    except BadTarget:
        path = "/"
    pairs = [(key, value) for key in request.args for value in request.args.getlist(key) if key != "lang"]
    return {"code": tag, "name": name, "address": f"{path}?{urlencode([*pairs, ('lang', code)])}"}


def _wants_page() -> bool:
    if request.headers.get("Sec-Fetch-Mode"):
        return request.headers["Sec-Fetch-Mode"] == "navigate"
    return "text/html" in request.headers.get("Accept", "")
