# SPDX-License-Identifier: Apache-2.0
"""OCSP by POST before Flask sees it: what Flask does to a request costs ten times what the answer does.

Only what is certain to be answered is taken; everything else goes on as it came, body and all, to the same verb behind
Flask, so that refusals look as everywhere.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.clock import Clock
from core.errors import TallygateError
from core.web import before_flask

from ..service import CertificateAuthority
from ..x509.answers import LONGEST_REQUEST
from .caching import answer_headers

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

_PATH = "/ocsp/"
_ISSUER = re.compile(r"[a-z0-9-]+", re.ASCII)
_LENGTH = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


def quick(behind: Application, service: CertificateAuthority, *, clock: Clock) -> Application:
    """The application, with its busiest question answered in front of it."""

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        issuer, length = _asked(environ)
        if not issuer:
            return behind(environ, start)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer = service.ocsp(issuer, body)
        except TallygateError:
            return behind(environ, start)
        said = answer_headers(answer, clock.now())
        fixed = [(name, value) for name, value in before_flask() if name not in said]
        start("200 OK", [*fixed, *said.items(), ("Content-Length", str(len(answer.der)))])
        return [answer.der]

    return application


def _asked(environ: Mapping[str, Any]) -> tuple[str, int]:
    """The issuer asked about and the length of the question; no issuer for what is Flask's."""
    path, length = environ.get("PATH_INFO", ""), environ.get("CONTENT_LENGTH") or ""
    plain = environ.get("REQUEST_METHOD") == "POST" and not environ.get("HTTP_TRANSFER_ENCODING")
    if not plain or not path.startswith(_PATH) or environ.get("HTTP_IF_NONE_MATCH"):
        return "", 0
    issuer = path.removeprefix(_PATH)
    if not _ISSUER.fullmatch(issuer) or not _LENGTH.fullmatch(length) or int(length) > LONGEST_REQUEST:
        return "", 0
    return issuer, int(length)
