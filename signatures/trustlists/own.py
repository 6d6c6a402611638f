# SPDX-License-Identifier: Apache-2.0
"""Our own trust list: JSON in a compact JWS (ES256), so that any JOSE library can read and check it."""

import hashlib
import json
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ListRefused
from ..models import Trust

TYPE = "tallygate-trust-list"
_HALF = 32


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One certificate that is or was trusted."""

    # DER.
    certificate: bytes
    # Name among the issuing authorities; empty for roots.
    authority: str = ""
    # Its certificates may sign documents.
    signs: bool = False
    # What alone it is trusted for, "sign" or "stamp"; empty: for both.
    only: str = ""
    since: datetime | None = None
    # Trusted no more from here on; what was proved to be signed before stays good.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TrustList:
    """A whole list; the next one has a greater number."""

    name: str
    number: int
    issued: datetime
    next_issue: datetime
    entries: tuple[Entry, ...]

    def trust(self) -> Trust:
        """What verifications start from."""
        roots, issuers, signing, periods, purposes = [], {}, set(), {}, {}
        for entry in self.entries:
            pem = x509.load_der_x509_certificate(entry.certificate).public_bytes(Encoding.PEM).decode()
            if entry.authority:
                issuers[entry.authority] = pem
                if entry.signs:
                    signing.add(entry.authority)
            else:
                roots.append(pem)
            name = hashlib.sha256(entry.certificate).hexdigest()
            periods[name] = (entry.since, entry.until)
            if entry.only:
                purposes[name] = frozenset({entry.only})
        return Trust(
            roots=tuple(roots), issuers=issuers, signing=frozenset(signing), periods=periods, purposes=purposes
        )


def written(found: TrustList, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The signed list."""
    said = {
        "type": TYPE,
        "name": found.name,
        "number": found.number,
        "issued": found.issued.isoformat(),
        "next_issue": found.next_issue.isoformat(),
        "entries": [
            {
                "certificate": b64encode(entry.certificate).decode(),
                "authority": entry.authority,
                "signs": entry.signs,
                **({"only": entry.only} if entry.only else {}),
                "since": entry.since.isoformat() if entry.since else None,
                "until": entry.until.isoformat() if entry.until else None,
            }
            for entry in found.entries
        ],
    }
    head = _url(json.dumps({"alg": "ES256", "typ": TYPE}).encode())
    body = _url(json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    r, s = utils.decode_dss_signature(key.sign(head + b"." + body, ec.ECDSA(hashes.SHA256())))
    return b".".join((head, body, _url(r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big"))))


def read_own(document: bytes, key: ec.EllipticCurvePublicKey, *, at: datetime, newest: int = 0) -> TrustList:
    """Read and check one list; ``newest`` is the number of the one that was used last.

    Raises:
        ListRefused: not signed by this key, malformed, overdue, from the future or older than the last.
    """
    try:
        head, body, signature = document.strip().split(b".")
        raw = _plain(signature)
        if len(raw) != 2 * _HALF or json.loads(_plain(head)) != {"alg": "ES256", "typ": TYPE}:
            raise ListRefused(why="form")
        pair = (int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))
        key.verify(utils.encode_dss_signature(*pair), head + b"." + body, ec.ECDSA(hashes.SHA256()))
        found = _read(json.loads(_plain(body)))
    except InvalidSignature as error:
        raise ListRefused(why="signature") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ListRefused(why="form") from error
    if not found.issued <= at <= found.next_issue:
        raise ListRefused(why="overdue")
    if found.number < newest:
        raise ListRefused(why="older")
    return found


def unverified(document: bytes) -> TrustList:
    """What a list says of itself, whoever wrote it.

    Raises:
        ListRefused: malformed.
    """
    try:
        return _read(json.loads(_plain(document.strip().split(b".")[1])))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ListRefused(why="form") from error


def _read(said: dict[str, Any]) -> TrustList:
    if said["type"] != TYPE:
        raise ListRefused(why="form")
    entries: Sequence[dict[str, Any]] = said["entries"]
    return TrustList(
        name=str(said["name"]),
        number=int(said["number"]),
        issued=datetime.fromisoformat(said["issued"]),
        next_issue=datetime.fromisoformat(said["next_issue"]),
        entries=tuple(
            Entry(
                certificate=b64decode(entry["certificate"], validate=True),
                authority=str(entry["authority"]),
                signs=entry["signs"] is True,
                only=_purpose(entry.get("only", "")),
                since=_moment(entry["since"]),
                until=_moment(entry["until"]),
            )
            for entry in entries
        ),
    )


def _purpose(text: str) -> str:
    if text not in {"", "sign", "stamp"}:
        raise ListRefused(why="form")
    return text


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _plain(text: bytes) -> bytes:
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except NotBase64 as error:
        raise ValueError("not base64url") from error
