# SPDX-License-Identifier: Apache-2.0
"""Models to JSON and back; what comes from a reading process is checked like any other input."""

import base64
import dataclasses
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from ..looks import (
    Certification,
    Compared,
    EmptyField,
    Locking,
    PageState,
    Permits,
    Picture,
    Placement,
    Revisions,
)
from ..models import (
    Ask,
    CertificateFacts,
    Chain,
    Description,
    Format,
    Inspection,
    Level,
    Modification,
    Prepared,
    Revocation,
    SealFacts,
    SignatureFacts,
    StampFacts,
    StampState,
    Trust,
)
from ..pades.drawing import Drawing
from ..pades.signing import Request

_PNG = b"\x89PNG\r\n\x1a\n"
_ABOUT_PICTURE = ("width", "height", "wide", "high", "page", "pages")


def encode_inspection(inspection: Inspection) -> dict[str, Any]:
    """As JSON."""
    encoded: dict[str, Any] = _plain(inspection)
    return encoded


def decode_inspection(header: Mapping[str, Any]) -> Inspection:
    """From JSON.

    Raises:
        KeyError, TypeError, ValueError: not an inspection.
    """
    return Inspection(
        failure=str(header["failure"]),
        marks=int(header["marks"]),
        pages=int(header["pages"]),
        signatures=tuple(_signature(found) for found in header["signatures"]),
        format=Format(header["format"]),
        unread=tuple(str(each) for each in header["unread"]),
        hidden=tuple(str(each) for each in header["hidden"]),
    )


def encode_trust(trust: Trust) -> dict[str, Any]:
    """As JSON."""
    periods = {name: [_text(start), _text(end)] for name, (start, end) in trust.periods.items()}
    return {
        "roots": list(trust.roots),
        "issuers": dict(trust.issuers),
        "signing": sorted(trust.signing),
        "periods": periods,
        "purposes": {name: sorted(found) for name, found in trust.purposes.items()},
        "qualified": sorted(trust.qualified),
        "keepers": dict(trust.keepers),
    }


def decode_trust(header: Mapping[str, Any]) -> Trust:
    """From JSON."""
    return Trust(
        roots=tuple(header["roots"]),
        issuers=header["issuers"],
        signing=frozenset(header["signing"]),
        periods={name: (_moment(start), _moment(end)) for name, (start, end) in header["periods"].items()},
        purposes={name: frozenset(found) for name, found in header["purposes"].items()},
        qualified=frozenset(header["qualified"]),
        keepers=header["keepers"],
    )


def encode_request(request: Request) -> dict[str, Any]:
    """As JSON."""
    return {
        "operators": request.drawing.operators.decode("ascii"),
        "width": request.drawing.width,
        "height": request.drawing.height,
        "certificate": base64.b64encode(request.certificate).decode(),
        "room": request.room,
        "at": request.at.isoformat(),
        "name": request.name,
        "reason": request.reason,
        "placement": dataclasses.asdict(request.placement),
        "permits": dataclasses.asdict(request.permits),
        "further": request.further,
    }


def decode_request(header: Mapping[str, Any]) -> Request:
    """From JSON."""
    return Request(
        drawing=Drawing(header["operators"].encode("ascii"), header["width"], header["height"]),
        certificate=base64.b64decode(header["certificate"]),
        room=header["room"],
        at=datetime.fromisoformat(header["at"]),
        name=header["name"],
        reason=header["reason"],
        placement=Placement(**header["placement"]),
        permits=Permits(
            certification=Certification(header["permits"]["certification"]),
            locking=Locking(header["permits"]["locking"]),
            fields=tuple(header["permits"]["fields"]),
        ),
        further=header["further"] is True,
    )


def decode_description(header: Mapping[str, Any]) -> Description:
    """From JSON.

    Raises:
        KeyError, TypeError, ValueError: not a description.
    """
    return Description(title=str(header["title"]), pages=int(header["pages"]), signed=header["signed"] is True)


def decode_prepared(header: Mapping[str, Any], content: bytes) -> Prepared:
    """From JSON and the document beside it.

    Raises:
        KeyError, TypeError, ValueError: not a prepared document.
    """
    return Prepared(
        document=content, digest=bytes.fromhex(header["digest"]), start=int(header["start"]), end=int(header["end"])
    )


def encode_picture(picture: Picture) -> dict[str, Any]:
    """As JSON, without the picture itself."""
    return {name: getattr(picture, name) for name in _ABOUT_PICTURE}


def decode_picture(header: Mapping[str, Any], content: bytes) -> Picture:
    """From JSON and the picture beside it.

    Raises:
        KeyError, TypeError, ValueError: not a picture.
    """
    if not content.startswith(_PNG):
        raise ValueError("no picture")
    whole = {name: int(header[name]) for name in ("width", "height", "page", "pages")}
    return Picture(png=content, wide=float(header["wide"]), high=float(header["high"]), **whole)


def outline(header: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """The place to draw a frame around, if there is one."""
    said = header.get("outline")
    if said is None:
        return None
    x, y, width, height = (float(value) for value in said)
    return x, y, width, height


def encode_revisions(found: Revisions) -> tuple[dict[str, Any], bytes]:
    """As JSON, and the pictures one after the other."""
    pages = [[each.state.value, len(each.then), len(each.now)] for each in found.pages]
    pictures = b"".join(each.then + each.now for each in found.pages)
    return {"then": found.pages_then, "now": found.pages_now, "compared": pages}, pictures


def decode_revisions(header: Mapping[str, Any], content: bytes) -> Revisions:
    """From JSON and the pictures beside it.

    Raises:
        KeyError, TypeError, ValueError: not a comparison.
    """
    pages, at = [], 0
    for number, (state, then, now) in enumerate(header["compared"], start=1):
        middle, end = at + int(then), at + int(then) + int(now)
        pair = (content[at:middle], content[middle:end])
        if any(each and not each.startswith(_PNG) for each in pair):
            raise ValueError("no picture")
        pages.append(Compared(page=number, state=PageState(state), then=pair[0], now=pair[1]))
        at = end
    return Revisions(pages_then=int(header["then"]), pages_now=int(header["now"]), pages=tuple(pages))


def decode_fields(header: Mapping[str, Any]) -> tuple[EmptyField, ...]:
    """From JSON.

    Raises:
        KeyError, TypeError, ValueError: not fields.
    """
    axes = ("x", "y", "width", "height")
    return tuple(
        EmptyField(name=str(each["name"]), page=int(each["page"]), **{axis: float(each[axis]) for axis in axes})
        for each in header["fields"]
    )


def _signature(found: Mapping[str, Any]) -> SignatureFacts:
    certificate = found["certificate"]
    return SignatureFacts(
        field=str(found["field"]),
        claimed_at=_moment(found["claimed_at"]),
        digest_matches=found["digest_matches"] is True,
        signature_verifies=found["signature_verifies"] is True,
        covers_file=found["covers_file"] is True,
        modification=Modification(found["modification"]),
        permitted=found["permitted"] is True,
        changed_fields=tuple(str(name) for name in found["changed_fields"]),
        library_trusts=found["library_trusts"] is True,
        certificate=CertificateFacts(
            serial=str(certificate["serial"]),
            name=str(certificate["name"]),
            organisation=str(certificate["organisation"]),
            subject=str(certificate["subject"]),
            issuer=str(certificate["issuer"]),
            not_before=datetime.fromisoformat(certificate["not_before"]),
            not_after=datetime.fromisoformat(certificate["not_after"]),
            chain=Chain(certificate["chain"]),
            authority=str(certificate["authority"]),
            purpose=certificate["purpose"] is True,
            revocation=Revocation(certificate["revocation"]),
            revoked_at=_moment(certificate["revoked_at"]),
            sha256=str(certificate["sha256"]),
            qualified=certificate["qualified"] is True,
            said_at=_moment(certificate["said_at"]),
            said_until=_moment(certificate["said_until"]),
            asked=certificate["asked"] is True,
            asks=_asks(certificate),
        ),
        format=Format(found["format"]),
        level=Level(found["level"]),
        stamps=tuple(_stamp(each) for each in found["stamps"]),
        absent=int(found["absent"]),
        promised=found["promised"] is True,
        pictured=found["pictured"] is True,
        proven_at=_moment(found["proven_at"]),
        content_present=found["content_present"] is True,
        algorithm=str(found["algorithm"]),
        weak=found["weak"] is True,
        other_certificate=found["other_certificate"] is True,
        covered=tuple(str(name) for name in found["covered"]),
        uncovered=tuple(str(name) for name in found["uncovered"]),
        certified=str(found["certified"]),
        revision=int(found["revision"]),
        locking=Locking(found["locking"]),
        locked=tuple(str(name) for name in found["locked"]),
        seal=None if found["seal"] is None else _seal(found["seal"]),
        signers=int(found["signers"]),
        countersigners=tuple(str(name) for name in found["countersigners"]),
        countersigned_in_vain=int(found["countersigned_in_vain"]),
        obscured=found["obscured"] is True,
        value=str(found["value"]),
    )


def _seal(found: Mapping[str, Any]) -> SealFacts:
    return SealFacts(
        verifies=found["verifies"] is True,
        maker=str(found["maker"]),
        start=datetime.fromisoformat(found["start"]),
        end=datetime.fromisoformat(found["end"]),
        old=found["old"] is True,
        self_made=found["self_made"] is True,
        unsaid=found["unsaid"] is True,
    )


def _stamp(found: Mapping[str, Any]) -> StampFacts:
    return StampFacts(
        at=_moment(found["at"]),
        name=str(found["name"]),
        state=StampState(found["state"]),
        archive=found["archive"] is True,
        beside=found["beside"] is True,
        sha256=str(found["sha256"]),
        algorithm=str(found["algorithm"]),
        asks=_asks(found),
    )


def _asks(found: Mapping[str, Any]) -> tuple[Ask, ...]:
    return tuple(Ask(str(each["unverified_url"]), base64.b64decode(each["question"])) for each in found["asks"])


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@cache
def _names(model: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(model))


def _plain(value: Any) -> Any:
    # As dataclasses.asdict, which copies each value first and so costs three times as much.
    if dataclasses.is_dataclass(value):
        model: Any = type(value)
        return {name: _plain(getattr(value, name)) for name in _names(model)}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value
