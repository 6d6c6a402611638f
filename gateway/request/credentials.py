# SPDX-License-Identifier: Apache-2.0
"""What a request presents to be identified by: at most one thing, given once."""

import binascii
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ..config import SESSION_COOKIE
from ..errors import Reason, Refused
from ..models import Question

_OPAQUE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_TOKEN = re.compile(r"(bearer|dpop) ([A-Z0-9_.~+/=-]{1,6000})\Z", re.IGNORECASE | re.ASCII)
_BETWEEN = re.compile(r"[;,]")
_OURS = SESSION_COOKIE.lower()
_BLANK = " \t"
LONGEST_COOKIES = 16_384
LONGEST_CERTIFICATE = 24_000


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """At most one of these is not empty, but for a token that comes with what it is bound to."""

    unverified_session: str = ""
    unverified_token: str = ""
    # PEM.
    unverified_certificate: bytes = b""
    # Whether the token is presented as one that is bound to a key, and the proof that came with it.
    bound: bool = False
    unverified_proof: str = ""


def credentials(question: Question) -> Credentials:
    """Read them.

    Raises:
        Refused: more than one, one given twice, or one that cannot be read.
    """
    session = _session(question.unverified_cookie)
    bound, token = _token(question.unverified_authorization)
    certificate = _certificate(question.unverified_certificate)
    # Whether a certificate is the one that a token is bound to, or a second credential, only the token can say.
    if sum(map(bool, (session, token or certificate))) > 1:
        raise Refused(Reason.AMBIGUOUS_CREDENTIAL)
    return Credentials(
        unverified_session=session,
        unverified_token=token,
        unverified_certificate=certificate,
        bound=bound,
        unverified_proof=question.unverified_proof if bound else "",
    )


def proxy_credentials(*, authorization: str, proof: str, certificate: bytes) -> Credentials:
    """What comes with a request for a way out; ``certificate`` is PEM, as TLS was given it.

    Raises:
        Refused: a token that cannot be read.
    """
    bound, token = _token(authorization)
    return Credentials(
        unverified_token=token,
        unverified_certificate=certificate,
        bound=bound,
        unverified_proof=proof if bound else "",
    )


def certificate_digest(header: str) -> str:
    """SHA-256 of a certificate (DER), hexadecimal; empty for what is none."""
    try:
        lines = _certificate(header).decode("ascii").split("-----")
        return hashlib.sha256(binascii.a2b_base64("".join(lines[2].split()), strict_mode=True)).hexdigest()
    except (Refused, ValueError, IndexError):
        return ""


def _session(header: str) -> str:
    if len(header) > LONGEST_COOKIES:
        raise Refused(Reason.AMBIGUOUS_CREDENTIAL)
    # nginx joins several Cookie headers with "; ", granian with ";" or ",": all are separators here. What nginx takes
    # out before a host sees the header is read in the same way (gateway.proxy.cookies).
    pairs = [part.partition("=") for part in _BETWEEN.split(header)]
    found = [value.strip(_BLANK) for name, _, value in pairs if name.strip(_BLANK).lower() == _OURS]
    if len(found) > 1:
        raise Refused(Reason.AMBIGUOUS_CREDENTIAL)
    # A cookie of another shape was never ours; it identifies nobody.
    return found[0] if found and _OPAQUE.match(found[0]) else ""


def _token(header: str) -> tuple[bool, str]:
    if not header:
        return False, ""
    found = _TOKEN.match(header)
    if found is None:
        raise Refused(Reason.AMBIGUOUS_CREDENTIAL if "," in header else Reason.CREDENTIAL)
    return found[1].lower() == "dpop", found[2]


def _certificate(header: str) -> bytes:
    if not header:
        return b""
    if len(header) > LONGEST_CERTIFICATE:
        raise Refused(Reason.CREDENTIAL)
    pem = unquote_to_bytes(header)
    if pem.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise Refused(Reason.CREDENTIAL)
    return pem
