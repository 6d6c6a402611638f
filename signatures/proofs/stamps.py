# SPDX-License-Identifier: Apache-2.0
"""What a time-stamp (RFC 3161) is worth: is it over this, who made it, might they."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import tsp
from cryptography import x509

from ..models import Ask, Chain, Revocation, StampFacts, StampState
from . import keys
from .certificates import Assessor
from .signed_data import NotSignedData, Signer, read

# How far the clocks of two units may be apart.
_AHEAD = timedelta(minutes=5)
_INFO = "tst_info"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a token is judged with: what came in the same file, and when."""

    assessor: Assessor
    at: datetime
    others: Sequence[bytes] = ()
    lists: Sequence[bytes] = ()
    answers: Sequence[bytes] = ()
    # A later time-stamp proves that this one is at least that old.
    proven: datetime | None = None


def question(over: bytes, nonce: int) -> bytes:
    """What a time-stamping unit is asked (RFC 3161 section 2.4.1): its certificate is wanted too."""
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": keys.hashed("sha256", over)}
    asked: bytes = tsp.TimeStampReq(
        {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    ).dump()
    return asked


def answered(answer: bytes, over: bytes, nonce: int) -> bytes:
    """The token of an answer that fits the question.

    Raises:
        ValueError: it is a refusal, malformed, or over something else.
    """
    found: Any = tsp.TimeStampResp.load(answer, strict=True)
    if found["status"]["status"].native not in {"granted", "granted_with_mods"}:
        raise ValueError("refused")
    token: bytes = found["time_stamp_token"].dump()
    info: Any = tsp.TSTInfo.load(read(token).content or b"", strict=True)
    if info["nonce"].native != nonce or not _over(info, over):
        raise ValueError("another question")
    return token


def examine(token: bytes, over: bytes, around: Surroundings, *, archive: bool = False) -> StampFacts:
    """Look at one token; whatever it is, there is an answer."""
    return replace(_examined(token, over, around, archive=archive), sha256=hashlib.sha256(token).hexdigest())


def _examined(token: bytes, over: bytes, around: Surroundings, *, archive: bool) -> StampFacts:
    try:
        signed = read(token, padded=archive)
        info: Any = tsp.TSTInfo.load(signed.content or b"", strict=True)
        at = info["gen_time"].native
        fits = _over(info, over) and signed.content_type == _INFO and len(signed.signers) == 1
        signer = signed.signers[0]
    except (NotSignedData, ValueError, TypeError, KeyError, IndexError):
        return StampFacts(at=None, name="", state=StampState.BROKEN, archive=archive)
    # One that another is over is older than that: by their own words one of them lies.
    out_of_order = around.proven is not None and at > around.proven + _AHEAD
    sound = signer.signature_verifies and signer.digest_matches
    if not fits or out_of_order or not sound or signer.certificate is None:
        return StampFacts(at=at, name="", state=StampState.BROKEN, archive=archive)
    name, state, asks = _worth(signer, signer.certificate, at, around)
    algorithm = keys.key_name(x509.load_der_x509_certificate(signer.certificate))
    return StampFacts(at=at, name=name, state=state, archive=archive, algorithm=algorithm, asks=asks)


def is_token(content: bytes) -> bool:
    """Whether it is one, sound or not; what follows it is only room."""
    try:
        return read(content, padded=True).content_type == _INFO
    except NotSignedData:
        return False


def imprint(token: bytes) -> tuple[str, bytes] | None:
    """What a token says it is over, unverified: the name of a digest and its value; nothing of what is none."""
    try:
        found = _imprint(tsp.TSTInfo.load(read(token).content or b"", strict=True))
        if found is not None:
            # A digest that nobody here can make fits nothing.
            keys.hashed(found[0], b"")
    except (NotSignedData, ValueError, TypeError, KeyError, IndexError):
        return None
    return found


def _over(info: Any, over: bytes) -> bool:
    found = _imprint(info)
    return found is not None and hmac.compare_digest(found[1], keys.hashed(found[0], over))


def _imprint(info: Any) -> tuple[str, bytes] | None:
    said = info["message_imprint"]
    digest = keys.digest_name(said["hash_algorithm"])
    return None if keys.weak_digest(digest) else (digest, said["hashed_message"].native)


def _worth(
    signer: Signer, certificate: bytes, stamped: datetime, around: Surroundings
) -> tuple[str, StampState, tuple[Ask, ...]]:
    found = around.assessor.assess(
        certificate,
        others=[*signer.others, *around.others],
        at=around.at,
        proven=around.proven,
        lists=[*signer.lists, *around.lists],
        answers=[*signer.answers, *around.answers],
        stamping=True,
    )
    name = found.name or found.organisation or found.serial
    moment = around.proven or around.at
    if found.chain is Chain.UNKNOWN:
        return name, StampState.UNKNOWN, ()
    in_time = found.not_before <= stamped <= found.not_after and moment <= found.not_after and stamped <= around.at
    refused = found.chain is Chain.BROKEN or not found.purpose or not in_time or signer.weak or signer.other_certificate
    if refused or found.revocation in {Revocation.REVOKED, Revocation.SUSPENDED}:
        return name, StampState.REFUSED, ()
    state = StampState.UNKNOWN if found.revocation is Revocation.UNAVAILABLE else StampState.GOOD
    return name, state, found.asks


def proven_at(stamps: Iterable[StampFacts]) -> datetime | None:
    """The earliest moment that a good one proves."""
    return min((each.at for each in stamps if each.state is StampState.GOOD and each.at is not None), default=None)
