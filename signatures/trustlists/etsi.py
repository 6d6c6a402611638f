# SPDX-License-Identifier: Apache-2.0
"""The trust list of a state (ETSI TS 119 612 v2): its issuers of certificates for signatures, with their history.

Read as far as verification needs it: services that issue certificates (CA/QC, CA/PKC) or stamp time (TSA), by the
certificates that identify them, granted from when until when. The list's own signature must be by a certificate that
was named beside it; qualified status is not said, only trust.
"""

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ListRefused
from ..formats.xades import parse, signatures
from ..models import Trust

_TSL = "{http://uri.etsi.org/02231/v2#}"
_KINDS = (
    "http://uri.etsi.org/TrstSvc/Svctype/CA/QC",
    "http://uri.etsi.org/TrstSvc/Svctype/CA/PKC",
    "http://uri.etsi.org/TrstSvc/Svctype/TSA",
    "http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST",
)
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
    try:
        root = parse(document)
        found = list(signatures(root, lambda _: None, beside=False))
    except ValueError as error:
        raise ListRefused(why="form") from error
    if len(found) != 1 or isinstance(found[0], str) or not found[0].enveloped:
        raise ListRefused(why="signature")
    signer = found[0].signer
    if signer.certificate not in signers or not signer.signature_verifies or not signer.digest_matches or signer.weak:
        raise ListRefused(why="signature")
    try:
        due = root.findtext(f".//{_TSL}NextUpdate/{_TSL}dateTime")
        if due is None or _moment(due) < at:
            raise ListRefused(why="overdue")
        return _trust(root)
    except (ValueError, TypeError, AttributeError, NotBase64) as error:
        raise ListRefused(why="form") from error


def _trust(root: Any) -> Trust:
    roots: dict[str, None] = {}
    periods: dict[str, _Period] = {}
    for service in root.iter(f"{_TSL}TSPService"):
        information = service.find(f"{_TSL}ServiceInformation")
        if information.findtext(f"{_TSL}ServiceTypeIdentifier") not in _KINDS:
            continue
        period = _period(list(_statuses(service, information)))
        if period is None:
            continue
        for node in information.iterfind(f"{_TSL}ServiceDigitalIdentity/{_TSL}DigitalId/{_TSL}X509Certificate"):
            der = b64decode("".join((node.text or "").split()), validate=True)
            # Whom the list names is where a path may end, whoever stands above.
            roots[x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()] = None
            periods[hashlib.sha256(der).hexdigest()] = period
    return Trust(roots=tuple(roots), issuers={}, periods=periods)


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
