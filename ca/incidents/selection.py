# SPDX-License-Identifier: Apache-2.0
"""What an officer or operator wrote about which certificates, read and bounded; everything in it is unverified.

Keys come as SHA-256 of subjectPublicKeyInfo or as PEM: a public key, a certificate, a request, or the leaked private
key itself, of which only the hash of its public half is kept.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from core.errors import N_

from ..errors import BadSerial, SelectorRefused
from ..models import read_authority, read_serial
from ..x509 import PROFILES
from .models import Selector

MOST_KEYS = 200
MOST_SERIALS = 20_000
LARGEST_FILE = 900_000
"""Bytes of a file of serials; the body of a request has at most a mebibyte."""
LARGEST_KEYS = 200_000
"""Characters of keys."""
LONGEST = 128
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----")
_HASH = re.compile(r"[0-9a-f]{64}")
_YEARS = (2000, 2200)


def read_selector(
    *,
    profiles: Iterable[str] = (),
    issuers: Iterable[str] = (),
    keys: str = "",
    holder: str = "",
    officer: str = "",
    account: str = "",
    since: str = "",
    until: str = "",
    serials: bytes | None = None,
) -> Selector:
    """The selection that somebody wrote.

    Raises:
        SelectorRefused: a part cannot be read, is too large, or nothing is named at all.
    """
    found = Selector(
        profiles=_known(profiles, PROFILES, N_("there is no such profile")),
        issuers=_issuers(issuers),
        keys=read_keys(keys),
        holder=_short(holder),
        officer=_short(officer),
        account=_short(account),
        since=read_moment(since),
        until=read_moment(until),
        serials=None if serials is None else read_serials(serials),
    )
    if found.since and found.until and found.since > found.until:
        raise SelectorRefused(why=N_("the window ends before it begins"))
    if found.empty:
        raise SelectorRefused(why=N_("it names nothing"))
    return found


def read_moment(text: str) -> datetime | None:
    """A moment in ISO 8601, in UTC if it says no other; None for an empty text.

    Raises:
        SelectorRefused: it is none.
    """
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SelectorRefused(why=N_("a time cannot be read")) from error
    if not _YEARS[0] <= found.year < _YEARS[1]:
        raise SelectorRefused(why=N_("a time cannot be read"))
    return found.replace(microsecond=0)


def read_keys(text: str) -> tuple[str, ...]:
    """Hashes of keys, from hashes and PEM in any order.

    Raises:
        SelectorRefused: something is neither, or there are too many.
    """
    if len(text) > LARGEST_KEYS:
        raise SelectorRefused(why=N_("it names too many keys"))
    found = {_hash_of(match.group(0), match.group(1)) for match in _PEM.finditer(text)}
    for line in _PEM.sub("\n", text).splitlines():
        digits = line.replace(":", "").replace(" ", "").strip().lower()
        if not digits:
            continue
        if not _HASH.fullmatch(digits):
            raise SelectorRefused(why=N_("a key is neither PEM nor a SHA-256 in hexadecimal"))
        found.add(digits)
    if len(found) > MOST_KEYS:
        raise SelectorRefused(why=N_("it names too many keys"))
    return tuple(sorted(found))


def read_serials(content: bytes) -> frozenset[str]:
    """Serials of a file, one on each line; whatever follows a comma, and lines that begin with #, are not read.

    Raises:
        SelectorRefused: a line holds none, there is none at all, or there are too many.
    """
    if len(content) > LARGEST_FILE:
        raise SelectorRefused(why=N_("the file of serials is too large"))
    found: set[str] = set()
    for line in content.decode("utf-8-sig", "replace").splitlines():
        first = line.split(",", 1)[0].strip().strip('"')
        if not first or first.startswith("#") or first.lower() == "serial":
            continue
        try:
            found.add(read_serial(first))
        except BadSerial as error:
            raise SelectorRefused(why=N_("a line of the file holds no serial number")) from error
    if not found:
        raise SelectorRefused(why=N_("the file holds no serial number"))
    if len(found) > MOST_SERIALS:
        raise SelectorRefused(why=N_("the file of serials is too large"))
    return frozenset(found)


def _hash_of(pem: str, label: str) -> str:
    written = pem.encode("ascii", "replace")
    try:
        spki = _public(written, label).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SelectorRefused(why=N_("a key in PEM cannot be read")) from error
    return hashlib.sha256(spki).hexdigest()


def _public(written: bytes, label: str) -> PublicKeyTypes:
    if label == "CERTIFICATE":
        return x509.load_pem_x509_certificate(written).public_key()
    if label.endswith("CERTIFICATE REQUEST"):
        return x509.load_pem_x509_csr(written).public_key()
    if label.endswith("PRIVATE KEY"):
        return load_pem_private_key(written, None).public_key()
    return load_pem_public_key(written)


def _known(names: Iterable[str], known: Iterable[str], why: str) -> tuple[str, ...]:
    found = sorted({each for each in names if each})
    if not set(found) <= set(known):
        raise SelectorRefused(why=why)
    return tuple(found)


def _issuers(names: Iterable[str]) -> tuple[str, ...]:
    found = sorted({each for each in names if each})
    if len(found) > MOST_KEYS or not all(read_authority(each) for each in found):
        raise SelectorRefused(why=N_("there is no such authority"))
    return tuple(found)


def _short(text: str) -> str:
    found = text.strip()
    if len(found) > LONGEST or not found.isprintable():
        raise SelectorRefused(why=N_("an identifier cannot be read"))
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise SelectorRefused(why=N_("an identifier cannot be read")) from error
    return found
