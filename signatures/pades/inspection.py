# SPDX-License-Identifier: Apache-2.0
"""Finds out everything about the signatures of one file; judges nothing.

Malformed files make the library raise almost anything (specs/signatures.md, fact 3): whatever is raised means that the
file could not be read, never that it is unsigned.
"""

import asyncio
import io
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from ..models import Inspection, Modification, Profile, SignatureFacts
from .changes import POLICIES, more_than_seen
from .gate import covers_whole_file, looks_like_pdf, marks
from .grounds import Grounds

_LEVELS = {
    ModificationLevel.NONE: Modification.NONE,
    ModificationLevel.LTA_UPDATES: Modification.ARCHIVAL,
    ModificationLevel.FORM_FILLING: Modification.FORM,
}
_MOST_SIGNATURES = 50


def inspect(
    document: bytes,
    *,
    grounds: Grounds,
    profile: Profile,
    at: datetime,
    run: Callable[[Coroutine[Any, Any, Inspection]], Inspection] = asyncio.run,
) -> Inspection:
    """Read one file; never raises for what is in it. ``run`` brings a loop of its own where none can be made."""
    if not looks_like_pdf(document):
        return Inspection(failure="not_pdf", marks=marks(document))
    try:
        return run(_inspect(document, grounds, profile, at))
    except PdfDecodeLimitError:
        return Inspection(failure="limits", marks=marks(document))
    except MemoryError:
        return Inspection(failure="limits")
    except Exception:  # noqa: BLE001 - the library raises anything for malformed files; all of it means "unreadable"
        return Inspection(failure="malformed", marks=marks(document))


async def _inspect(document: bytes, grounds: Grounds, profile: Profile, at: datetime) -> Inspection:
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    if reader.encrypted:
        return Inspection(failure="encrypted", marks=marks(document))
    embedded: list[EmbeddedPdfSignature] = reader.embedded_signatures
    pages = int(reader.root["/Pages"]["/Count"])
    if len(embedded) > _MOST_SIGNATURES:
        return Inspection(failure="limits", marks=marks(document))
    found = [
        await _examine(signature, document, grounds, profile, at)
        for signature in embedded
        if signature.sig_object_type == "/Sig"
    ]
    return Inspection(failure="", marks=marks(document), pages=pages, signatures=tuple(found))


async def _examine(
    signature: EmbeddedPdfSignature, document: bytes, grounds: Grounds, profile: Profile, at: datetime
) -> SignatureFacts:
    status = await async_validate_pdf_signature(signature, grounds.context(at), diff_policy=POLICIES[profile])
    difference = status.diff_result
    changed: set[str] = set()
    modification = Modification.OTHER
    byte_range = [int(value) for value in signature.byte_range]
    covers_file = covers_whole_file(document, byte_range)
    if isinstance(difference, DiffResult):
        changed = {str(name) for name in difference.changed_form_fields}
        modification = _LEVELS.get(difference.modification_level, Modification.OTHER)
    if not covers_file and modification in {Modification.ARCHIVAL, Modification.FORM}:
        unseen = more_than_seen(
            signature.reader, document, revision=signature.signed_revision, end=sum(byte_range[-2:]), changed=changed
        )
        modification = Modification.OTHER if unseen else modification
    return SignatureFacts(
        field=_shown(signature.field_name),
        claimed_at=status.signer_reported_dt,
        digest_matches=bool(status.intact),
        signature_verifies=bool(status.valid),
        covers_file=covers_file,
        modification=modification,
        permitted=bool(status.docmdp_ok),
        changed_fields=tuple(sorted(map(_shown, changed)))[:100],
        library_trusts=bool(status.trusted),
        certificate=grounds.assessor.assess(
            signature.signer_cert.dump(), others=[other.dump() for other in signature.other_embedded_certs], at=at
        ),
    )


def _shown(text: object) -> str:
    return "".join(character for character in str(text or "") if character.isprintable())[:120]
