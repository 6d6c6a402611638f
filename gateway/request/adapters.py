# SPDX-License-Identifier: Apache-2.0
"""One reader for each proxy: what it says of the original request becomes the one `Question`.

Only a proxy of our own is heard, by its pair secret, and each says everything by the names of its own family. Names of
another family, a value given twice where there can be one, or ``Forwarded`` (RFC 7239) mean that something of the
client's came through, and then nothing in the request can be believed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ..models import Question

Environ = Mapping[str, Any]

_NUMBER = re.compile(r"[0-9a-f]{32}\Z")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{1,16000}={0,2}\Z")
_NO_CERTIFICATE = "{http.request.tls.client.certificate_der_base64}"
"""What Caddy says when TLS was given none: the placeholder itself."""
_ORIGINAL = ("HTTP_X_ORIGINAL_METHOD", "HTTP_X_ORIGINAL_HOST", "HTTP_X_ORIGINAL_URI", "HTTP_X_CLIENT_ADDRESS")
_FORWARDED = (
    "HTTP_X_FORWARDED_METHOD",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_URI",
    "HTTP_X_FORWARDED_FOR",
)


def nginx(environ: Environ, listener: str) -> Question:
    """Told by ``auth_request``: the certificate is URL-encoded PEM."""
    return _question(environ, listener, _ORIGINAL, _FORWARDED, environ.get("HTTP_TALLYGATE_CLIENT_CERTIFICATE", ""))


def caddy(environ: Environ, listener: str) -> Question:
    """Told by ``forward_auth``, in the names that it gives; the certificate is DER in Base64.

    Debian's Caddy limits nobody, so that it is done here.
    """
    return replace(_question(environ, listener, _FORWARDED, _ORIGINAL, _certificate(environ)), limited=False)


def haproxy(environ: Environ, listener: str) -> Question:
    """Told by our own script inside HAProxy; the certificate is DER in Base64."""
    return _question(environ, listener, _ORIGINAL, _FORWARDED, _certificate(environ))


ADAPTERS: Mapping[str, Callable[[Environ, str], Question]] = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}
"""By the name a proxy calls itself."""


def _question(
    environ: Environ, listener: str, own: tuple[str, ...], foreign: tuple[str, ...], certificate: str
) -> Question:
    method, host, target, address = [str(environ.get(name, "")) for name in own[:4]]
    number = str(environ.get("HTTP_TALLYGATE_REQUEST", "")).replace("-", "")
    return Question(
        listener=listener if listener.isalpha() and listener.isascii() else "",
        unverified_method=method,
        unverified_host=host,
        unverified_target=target,
        unverified_cookie=environ.get("HTTP_COOKIE", ""),
        unverified_authorization=environ.get("HTTP_AUTHORIZATION", ""),
        unverified_certificate=certificate,
        unverified_proof=environ.get("HTTP_DPOP", ""),
        address=address,
        number=number if _NUMBER.match(number) else "",
        # A method, host or address holds no comma: WSGI joins what was given twice.
        forwarded="," in method + host + address
        or bool(environ.get("HTTP_FORWARDED"))
        or any(map(environ.get, foreign)),
        length=_length(environ.get("HTTP_TALLYGATE_LENGTH", "")),
        media=str(environ.get("HTTP_TALLYGATE_MEDIA", "")).partition(";")[0].strip().lower(),
        upgrade=str(environ.get("HTTP_TALLYGATE_UPGRADE", "")).strip().lower(),
        origin=str(environ.get("HTTP_TALLYGATE_ORIGIN", "")),
    )


def _length(said: str) -> int:
    """Of the body; -1 if it comes in chunks, or with a length nobody can read."""
    return int(said) if _DIGITS.match(said) else -1 if said else 0


def _certificate(environ: Environ) -> str:
    """As nginx would give it; what is no certificate stays as it is, which identification refuses."""
    given = str(environ.get("HTTP_TALLYGATE_CLIENT_CERTIFICATE", ""))
    if given == _NO_CERTIFICATE:
        return ""
    if not _BASE64.match(given):
        return given
    lines = "\n".join(given[start : start + 64] for start in range(0, len(given), 64))
    return quote(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
