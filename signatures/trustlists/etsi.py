# SPDX-License-Identifier: Apache-2.0
"""The trust list of a state (ETSI TS 119 612 v2): its issuers of certificates for signatures, with their history.

Read as far as verification needs it: services that issue certificates (CA/QC, CA/PKC) or stamp time (TSA), by the
certificates that identify them, granted from when until when. The list's own signature must be by a certificate that
was named beside it. A service is trusted for what it is listed for: one that stamps time vouches for no signer. A list
of lists (LOTL) is read alike; each list that it points to must be signed by one of the certificates in the pointer.
"""

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ListRefused
from ..formats.xades import parse, signatures
from ..models import Trust

_TSL = "{http://uri.etsi.org/02231/v2#}"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_QUALIFIED = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
_KINDS = {
    _QUALIFIED: "sign",
    "http://uri.etsi.org/TrstSvc/Svctype/CA/PKC": "sign",
    "http://uri.etsi.org/TrstSvc/Svctype/TSA": "stamp",
    "http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST": "stamp",
}
_MOST_POINTERS = 100
_GRANTED = frozenset(
    f"http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/{word}"
    for word in ("granted", "recognisedatnationallevel", "undersupervision", "accredited")
)
_Period = tuple[datetime | None, datetime | None]


def read_etsi(document: bytes, signers: list[bytes], *, at: datetime) -> Trust:
    """What the list says, if one of these certificates (DER) signed it.

    Raises:
        ListRefused: not signed by one of them, malformed or overdue.
    """
    return read_issue(document, signers, at=at).trust


@dataclass(frozen=True)
class Pointer:
    """Where another list is, and who alone may have signed it."""

    territory: str
    location: str
    # DER.
    signers: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Issue:
    """One issue of a state's list, or of a list of lists."""

    # Its keeper counts them; 0 where the list does not say.
    number: int
    due: datetime
    trust: Trust
    pointers: tuple[Pointer, ...]


def read_issue(document: bytes, signers: list[bytes], *, at: datetime) -> Issue:
    """Everything of a list, if one of these certificates (DER) signed it.

    Raises:
        ListRefused: as ``read_etsi``.
    """
    root = _checked(document, signers, at)
    try:
        number = str(root.findtext(f"{_TSL}SchemeInformation/{_TSL}TSLSequenceNumber") or "0").strip()
        if not number.isascii() or not number.isdecimal():
            raise ListRefused(why="form")
        return Issue(number=int(number[:12]), due=_due(root), trust=_trust(root), pointers=tuple(_pointers(root)))
    except (ValueError, TypeError, AttributeError, NotBase64) as error:
        raise ListRefused(why="form") from error


def read_pointers(document: bytes, signers: list[bytes], *, at: datetime) -> list[Pointer]:
    """The lists that a list of lists points to, if one of these certificates (DER) signed it.

    Raises:
        ListRefused: as ``read_etsi``.
    """
    return list(read_issue(document, signers, at=at).pointers)


def read_all(
    document: bytes, signers: list[bytes], *, at: datetime, fetch: Callable[[str], bytes]
) -> tuple[list[tuple[str, Trust]], dict[str, str]]:
    """Every list that a list of lists points to, by territory; and why one is missing.

    One that cannot be had or is not signed by whom the pointer names takes nothing from the others. What is pointed to
    is not followed further.

    Raises:
        ListRefused: the list of lists itself, as ``read_etsi``.
    """
    found: list[tuple[str, Trust]] = []
    missing: dict[str, str] = {}
    for pointer in read_pointers(document, signers, at=at):
        try:
            found.append((pointer.territory, read_etsi(fetch(pointer.location), list(pointer.signers), at=at)))
        except ListRefused as error:
            missing[pointer.territory] = error.why
        except OSError:
            missing[pointer.territory] = "unreachable"
    return found, missing


def _pointers(root: Any) -> Iterator[Pointer]:
    for node in list(root.iter(f"{_TSL}OtherTSLPointer"))[:_MOST_POINTERS]:
        location = str(node.findtext(f"{_TSL}TSLLocation") or "").strip()
        named = [
            b64decode("".join((each.text or "").split()), validate=True) for each in node.iter(f"{_TSL}X509Certificate")
        ]
        territory = str(node.findtext(f".//{_TSL}SchemeTerritory") or "").strip()
        # An address that is not fetched over TLS, or whose list anybody may sign, is none.
        if location.startswith("https://") and named and territory:
            yield Pointer(territory[:16], location, tuple(named))


def _checked(document: bytes, signers: list[bytes], at: datetime) -> Any:
    try:
        root = parse(document)
        found = list(signatures(root, lambda _: None, beside=False))
    except ValueError as error:
        raise ListRefused(why="form") from error
    if len(found) != 1 or isinstance(found[0], str) or not found[0].enveloped or found[0].loose:
        raise ListRefused(why="signature")
    signer = found[0].signer
    if signer.certificate not in signers or not signer.signature_verifies or not signer.digest_matches or signer.weak:
        raise ListRefused(why="signature")
    # What stands within the signature is not of the list, and there is room in it that nobody signs.
    for each in list(root.iter(_SIGNATURE)):
        each.getparent().remove(each)
    try:
        if _due(root) < at:
            raise ListRefused(why="overdue")
    except (ValueError, TypeError) as error:
        raise ListRefused(why="form") from error
    return root


def _due(root: Any) -> datetime:
    return _moment(str(root.findtext(f".//{_TSL}NextUpdate/{_TSL}dateTime")))


def _trust(root: Any) -> Trust:
    roots: dict[str, None] = {}
    periods: dict[str, _Period] = {}
    purposes: dict[str, frozenset[str]] = {}
    qualified: dict[str, _Period] = {}
    for service in root.iter(f"{_TSL}TSPService"):
        information = service.find(f"{_TSL}ServiceInformation")
        kind = str(information.findtext(f"{_TSL}ServiceTypeIdentifier"))
        if kind not in _KINDS:
            continue
        period = _period(list(_statuses(service, information)))
        if period is None:
            continue
        for node in information.iterfind(f"{_TSL}ServiceDigitalIdentity/{_TSL}DigitalId/{_TSL}X509Certificate"):
            der = b64decode("".join((node.text or "").split()), validate=True)
            # Whom the list names is where a path may end, whoever stands above.
            roots[x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()] = None
            name = hashlib.sha256(der).hexdigest()
            same = purposes.get(name, frozenset()) <= {_KINDS[kind]}
            periods[name] = _joined(periods.get(name), period, same=same)
            purposes[name] = purposes.get(name, frozenset()) | {_KINDS[kind]}
            if kind == _QUALIFIED:
                qualified[name] = period
    # Whoever is still trusted for something else is qualified no more.
    supervised = frozenset(name for name, period in qualified.items() if period == periods[name])
    return Trust(roots=tuple(roots), issuers={}, periods=periods, purposes=purposes, qualified=supervised)


def _joined(one: _Period | None, other: _Period, *, same: bool) -> _Period:
    """Of two services with one certificate: for the same purpose the longer time, for two only what both have."""
    if one is None:
        return other
    (start, end), (since, until) = one, other
    if not same:
        return max(filter(None, (start, since)), default=None), min(filter(None, (end, until)), default=None)
    if end is not None and since is not None and end < since:
        return other
    if until is not None and start is not None and until < start:
        return one
    return (
        None if start is None or since is None else min(start, since),
        None if end is None or until is None else max(end, until),
    )


def _statuses(service: Any, information: Any) -> Iterator[tuple[datetime, bool]]:
    past = service.iterfind(f"{_TSL}ServiceHistory/{_TSL}ServiceHistoryInstance")
    for each in (information, *past):
        status = str(each.findtext(f"{_TSL}ServiceStatus"))
        yield _moment(str(each.findtext(f"{_TSL}StatusStartingTime"))), status in _GRANTED


def _period(statuses: list[tuple[datetime, bool]]) -> _Period | None:
    """The last time for which it was granted, from the start of that until something else came."""
    start: datetime | None = None
    end: datetime | None = None
    for since, granted in sorted(statuses):
        if granted and (start is None or end is not None):
            start, end = since, None
        elif not granted and start is not None and end is None:
            end = since
    return None if start is None else (start, end)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found
