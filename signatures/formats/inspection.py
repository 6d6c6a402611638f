# SPDX-License-Identifier: Apache-2.0
"""The one door: any file in, what was found out."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..models import Format, Inspection, Profile
from ..pades import inspection as pdf
from ..pades.archive import MOST_BESIDE, foreign
from ..pades.grounds import Grounds
from . import asic, cms_file, jws, kept, ofd, xades
from .containers import NotAContainer
from .facts import Found, Setting, not_over
from .kinds import kind_of

_MOST_SIGNATURES = 50
# Their readers compare what came beside themselves.
_DETACHED = frozenset({Format.CMS, Format.XADES, Format.JWS})
Read = Callable[[bytes, bytes | None, Setting], Found]
_READERS: Mapping[Format, Read] = {
    Format.CMS: cms_file.read_file,
    Format.XADES: xades.read_file,
    Format.JWS: jws.read_file,
    Format.ASIC: asic.read_file,
    Format.EVIDENCE: asic.read_evidence,
    Format.OFD: ofd.read_file,
}


def inspect(
    document: bytes,
    *,
    grounds: Grounds,
    profile: Profile,
    at: datetime,
    content: bytes | None = None,
    run: Callable[[Coroutine[Any, Any, Inspection]], Inspection] = asyncio.run,
    beside: Sequence[bytes] = (),
) -> Inspection:
    """Read one file; never raises for what is in it. ``content`` came beside a detached signature.

    ``beside`` are time-stamps that came beside a PDF; beside anything else they are over nothing.
    """
    kind = kind_of(document)
    if len(beside) > MOST_BESIDE:
        return Inspection(failure="limits", format=kind)
    if kind is Format.PDF:
        return _apart_from(
            content, pdf.inspect(document, grounds=grounds, profile=profile, at=at, run=run, beside=beside)
        )
    if kind is Format.KEPT:
        return _apart_from(
            content, kept.inspect(document, grounds=grounds, profile=profile, at=at, run=run, beside=beside)
        )
    if kind is Format.UNKNOWN:
        return Inspection(failure="not_pdf", format=kind)
    try:
        found = _READERS[kind](document, content, Setting(grounds=grounds, at=at, run=run))
    except NotAContainer as error:
        return Inspection(failure=error.reason, format=kind)
    except (MemoryError, RecursionError):
        return Inspection(failure="limits", format=kind)
    except Exception:  # noqa: BLE001 - malformed files make parsers raise anything; all of it means "unreadable"
        return Inspection(failure="malformed", format=kind)
    if len(found.signatures) + len(found.unread) > _MOST_SIGNATURES:
        return Inspection(failure="limits", format=kind)
    stray = tuple(foreign(each) for each in beside)
    signatures = tuple(replace(each, stamps=(*each.stamps, *stray)) for each in found.whole)
    hidden = found.hidden.told
    result = Inspection(failure="", signatures=signatures, unread=tuple(found.unread), format=kind, hidden=hidden)
    return result if kind in _DETACHED else _apart_from(content, result)


def _apart_from(content: bytes | None, found: Inspection) -> Inspection:
    """The same, and that what came beside is not what was signed: such a file signs nothing but itself."""
    if content is None:
        return found
    return replace(found, signatures=tuple(not_over(content, each) for each in found.signatures))
