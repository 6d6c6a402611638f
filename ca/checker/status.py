# SPDX-License-Identifier: Apache-2.0
"""What is published about certificates: revocation lists and OCSP answers, asked for and read like anybody would.

A list is read once and kept as a set of numbers while it is the newest; of the few lists that certificates of one
stretch name, no more than ``_LISTS`` are held at a time.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import algos, core, ocsp
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_der_x509_crl

from .examining import Issuer
from .models import Row
from .reading import Parsed, Unreadable, kind_of, parse, verified

_LISTS = 8
_SLACK = timedelta(seconds=2)
_HOLD = "certificate_hold"
_REASONS = {
    "unspecified": "unspecified",
    "key-compromise": "key_compromise",
    "affiliation-changed": "affiliation_changed",
    "superseded": "superseded",
    "cessation-of-operation": "cessation_of_operation",
    "privilege-withdrawn": "privilege_withdrawn",
}
_SIGNING = "1.3.6.1.5.5.7.3.9"

Said = Iterator[tuple[str, str]]
Newest = Callable[[str, int], tuple[int, datetime, datetime, bytes] | None]


@dataclass(frozen=True, kw_only=True)
class Read:
    """A revocation list that was read."""

    number: int
    made: datetime
    until: datetime
    serials: frozenset[int]
    # Why the list itself cannot be believed; empty if it can.
    wrong: str


class Lists:
    """The newest full list of each shard."""

    def __init__(self, newest: Newest) -> None:
        self._newest = newest
        self._read: OrderedDict[tuple[str, int], Read] = OrderedDict()
        self._asked: dict[tuple[str, int], tuple[int, datetime, datetime, bytes] | None] = {}

    def begin(self) -> None:
        """A new stretch: ask for the newest again."""
        self._asked.clear()

    def of(self, row: Row, issuer: Issuer) -> Read | None:
        """The list that a certificate stands on once withdrawn; None if none was published."""
        place = (row.issuer, row.shard)
        if place not in self._asked:
            self._asked[place] = self._newest(*place)
        newest = self._asked[place]
        if newest is None:
            return None
        known = self._read.get(place)
        if known is None or (known.number, known.made) != newest[:2]:
            known = self._read[place] = _list(newest, issuer)
            while len(self._read) > _LISTS:
                self._read.popitem(last=False)
        self._read.move_to_end(place)
        return known


def _list(newest: tuple[int, datetime, datetime, bytes], issuer: Issuer) -> Read:
    number, made, until, der = newest
    key = load_der_public_key(issuer.certificate.spki)
    try:
        found = load_der_x509_crl(der)
        good = found.is_signature_valid(key)  # type: ignore[arg-type]  # of whatever kind the authority's key is
        serials = frozenset(each.serial_number for each in found)
    except (ValueError, TypeError) as error:
        return Read(number=number, made=made, until=until, serials=frozenset(), wrong=type(error).__name__)
    return Read(number=number, made=made, until=until, serials=serials, wrong="" if good else "not the issuer's")


def on_list(row: Row, found: Read | None, *, released: datetime | None, at: datetime) -> Said:
    """Whether the list says what the tables say; what changed after it was made it cannot say."""
    if found is None or row.not_after < at:
        return
    if found.wrong:
        yield "list", f"the published list cannot be believed: {found.wrong}"
        return
    listed = int(row.serial, 16) in found.serials
    if row.withdrawn and not listed and row.changed is not None and row.changed + _SLACK < found.made:
        yield "list", "withdrawn, but not on the published list"
    if not row.withdrawn and listed and (released is None or released + _SLACK < found.made):
        yield "list", "good, but on the published list"


def live_question(row: Row, issuer: Parsed) -> bytes:
    """An OCSP request with a nonce, DER, which is answered at once."""
    nonce = core.OctetString(secrets.token_bytes(16))
    extension = ocsp.TBSRequestExtension({"extn_id": "nonce", "critical": False, "extn_value": nonce.dump()})
    asked = {"request_list": [_request(row, issuer, "sha256")], "request_extensions": [extension]}
    return bytes(ocsp.OCSPRequest({"tbs_request": ocsp.TBSRequest(asked)}).dump())


def plain_questions(row: Row, issuer: Parsed) -> list[bytes]:
    """OCSP requests as most clients ask, DER: answers to these lie ready."""
    return [
        bytes(ocsp.OCSPRequest({"tbs_request": {"request_list": [_request(row, issuer, hashed)]}}).dump())
        for hashed in ("sha1", "sha256")
    ]


def _request(row: Row, issuer: Parsed, hashed: str) -> Any:
    name, key = (hashlib.new(hashed, each, usedforsecurity=False).digest() for each in _identity(issuer))
    return ocsp.Request(
        {
            "req_cert": ocsp.CertId(
                {
                    "hash_algorithm": algos.DigestAlgorithm({"algorithm": hashed}),
                    "issuer_name_hash": name,
                    "issuer_key_hash": key,
                    "serial_number": int(row.serial, 16),
                }
            )
        }
    )


def _identity(issuer: Parsed) -> tuple[bytes, bytes]:
    return issuer.subject, _key_bits(issuer.spki)


def answered(row: Row, der: bytes, issuer: Issuer, *, at: datetime, cached: bool = False) -> Said:
    """Whether an answer says what the tables say, by somebody who may say it.

    One that was made beforehand (``cached``) may be older than the last change; it must have been taken away then.
    """
    try:
        yield from _answered(row, der, issuer, at, cached=cached)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, Unreadable) as error:
        yield "ocsp", f"an answer that cannot be read: {type(error).__name__}"


def _answered(row: Row, der: bytes, issuer: Issuer, at: datetime, *, cached: bool) -> Said:
    response = ocsp.OCSPResponse.load(der, strict=True)
    if response["response_status"].native != "successful":
        yield "ocsp", f"no answer: {response['response_status'].native}"
        return
    basic: Any = response["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    if not _may_sign(basic, data.dump(), issuer, at):
        yield "ocsp", "an answer that no delegate of the issuer signed"
    several = [each for each in data["responses"] if each["cert_id"]["serial_number"].native == int(row.serial, 16)]
    if len(several) != 1:
        yield "ocsp", "an answer about another certificate"
        return
    said = several[0]["cert_status"]
    wanted = {"": "good", "suspended": "revoked", "revoked": "revoked"}[row.withdrawn]
    if row.state == "intended" and not row.withdrawn:
        wanted = "revoked" if said.name == "revoked" else "unknown"
    if said.name != wanted:
        yield "ocsp", f"the answer says {said.name}, the tables say {wanted}{' (made beforehand)' if cached else ''}"
    elif row.withdrawn:
        reason = said.chosen["revocation_reason"].native or "unspecified"
        expected = _HOLD if row.withdrawn == "suspended" else _REASONS.get(row.reason, row.reason)
        if reason != expected:
            yield "ocsp", "the answer gives another reason than the tables"


def _may_sign(basic: Any, body: bytes, issuer: Issuer, at: datetime) -> bool:
    algorithm, signature = basic["signature_algorithm"]["algorithm"].dotted, bytes(basic["signature"].native)
    certificates = basic["certs"]
    if not isinstance(certificates, core.Void) and certificates is not None and len(certificates):
        delegate = parse(certificates[0].dump())
        purposes = [each.dotted for each in delegate.extensions["2.5.29.37"].value]
        return (
            verified(delegate.key, signature, body, algorithm)
            and verified(issuer.certificate.key, delegate.signature, delegate.tbs, delegate.algorithm)
            and purposes == [_SIGNING]
            and delegate.not_before <= at <= delegate.not_after
            and bool(kind_of(delegate.key))
        )
    return verified(issuer.certificate.key, signature, body, algorithm)


def _key_bits(spki: bytes) -> bytes:
    """The subjectPublicKey without its tag, length and number of unused bits (RFC 6960 section 4.1.1)."""
    return bytes(_Info.load(spki)["public_key"].contents[1:])


class _Info(core.Sequence):  # type: ignore[misc]  # the library ships no types
    """SubjectPublicKeyInfo of any algorithm, its key left as it is."""

    _fields = [("algorithm", core.Any), ("public_key", core.BitString)]  # noqa: RUF012 - as the library asks for it
