# SPDX-License-Identifier: Apache-2.0
"""Token and introspection requests before Flask sees them: what Flask does to one costs more than its answer.

The verbs, and so the checks, are the very same. Taken is only what can be read in one way: a short plain form at the
issuer's own address, with a proof of possession or without (certificates are shown at another). Everything else goes on
as it came, body and all.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.errors import Internal, TallygateError
from core.web import before_flask, oauth_answer

from ..models import Call, Client
from ..oauth.rfc9701 import MEDIA_TYPE
from ..service import SignOn
from .calls import presented_token

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

BASIC = 'Basic realm="tallygate", charset="UTF-8"'
"""How clients with a secret prove themselves, for whoever did not."""
_JSON = "application/json"
_FORMS = frozenset({"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"})
_LENGTH = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_MOST_FIELDS = 40
_REASONS = {int(status): f"{int(status)} {status.phrase}" for status in HTTPStatus}


def quick(behind: Application, service: SignOn) -> Application:
    """The application, with its busiest endpoints answered in front of it."""
    host = urlsplit(service.issuer).netloc

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        if not _plain(environ, host):
            return behind(environ, start)
        length = int(environ["CONTENT_LENGTH"])
        body = environ["wsgi.input"].read(length)
        # Of a sender who went away half of a form is left.
        form = _form(body) if len(body) == length else None
        if form is None:
            environ["wsgi.input"] = io.BytesIO(body)
            return behind(environ, start)
        fixed = before_flask()
        path, proof = environ["PATH_INFO"], environ.get("HTTP_DPOP")
        call = Call(
            method="POST",
            url=f"{service.issuer}{path}",
            authorization=environ.get("HTTP_AUTHORIZATION"),
            parameters=form,
            unverified_proofs=(proof,) if proof else (),
        )
        try:
            kind, said = _ANSWERS[path](service, service.clients.authenticate(call), call, environ)
            status = 200
        except TallygateError as error:
            status, kind, said = _refused(error, dict(fixed)["Tallygate-Request"])
        except Exception as error:  # noqa: BLE001 - as behind Flask: what nobody foresaw tells nothing of itself
            status, kind, said = _refused(_unforeseen(error), dict(fixed)["Tallygate-Request"])
        headers = [*fixed, ("Content-Type", kind), ("Content-Length", str(len(said)))]
        if status == HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", BASIC))
        if proof or (status >= HTTPStatus.BAD_REQUEST and b"use_dpop_nonce" in said):
            headers.append(("DPoP-Nonce", service.nonces.current()))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "2"))
        start(_REASONS[status], headers)
        return [said]

    return application


def _token(service: SignOn, client: Client, call: Call, _environ: Environ) -> tuple[str, bytes]:
    return _JSON, _written(service.tokens.issue(client, call).document())


def _introspect(service: SignOn, client: Client, call: Call, environ: Environ) -> tuple[str, bytes]:
    if environ.get("HTTP_ACCEPT") == MEDIA_TYPE:
        return MEDIA_TYPE, service.inspection.introspect_signed(client, presented_token(call)).encode()
    return _JSON, _written(service.inspection.introspect(client, presented_token(call)))


_ANSWERS: dict[str, Callable[[SignOn, Client, Call, Environ], tuple[str, bytes]]] = {
    "/token": _token,
    "/introspect": _introspect,
}


def _plain(environ: Mapping[str, Any], host: str) -> bool:
    """Whether a request can be read in one way only, as far as its head goes."""
    return (
        environ.get("PATH_INFO") in _ANSWERS
        and environ.get("REQUEST_METHOD") == "POST"
        and (environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST")) == host
        and not environ.get("QUERY_STRING")
        and not environ.get("HTTP_TRANSFER_ENCODING")
        and environ.get("HTTP_DPOP") != ""
        and environ.get("HTTP_ACCEPT", "*/*") in ("*/*", _JSON, MEDIA_TYPE)
        and environ.get("CONTENT_TYPE", "").lower() in _FORMS
        and _LENGTH.fullmatch(environ.get("CONTENT_LENGTH") or "") is not None
    )


def _form(body: bytes) -> dict[str, list[str]] | None:
    """The fields of a form, every value of each; None if somebody else could read it otherwise."""
    try:
        return parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        return None


def _written(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _refused(error: TallygateError, request: str) -> tuple[int, str, bytes]:
    status, document = oauth_answer(error, request_id=request)
    return status, _JSON, _written(document)


def _unforeseen(error: Exception) -> TallygateError:
    internal = Internal()
    internal.__cause__ = error
    return internal
