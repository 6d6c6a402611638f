# SPDX-License-Identifier: Apache-2.0
"""Finds out everything about the signatures of one file; judges nothing.

Malformed files make the library raise almost anything (specs/signatures.md, fact 3): whatever is raised means that the
file could not be read, never that it is unsigned.
"""

import asyncio
import base64
import io
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.diff_analysis.rules.form_field_rules import is_field_visible
from pyhanko.sign.fields import FieldMDPAction, MDPPerm, enumerate_sig_fields
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, extract_contents

from ..looks import Locking
from ..models import (
    Chain,
    Format,
    Inspection,
    Level,
    Modification,
    Profile,
    Revocation,
    SignatureFacts,
    StampFacts,
    StampState,
)
from ..proofs.counters import countersigned
from ..proofs.signed_data import Signer, read
from ..proofs.stamps import Surroundings, examine, proven_at
from .archive import Archive, Carried, archive_stamps, read_carried
from .changes import RULES, more_than_seen
from .covering import hides
from .gate import covers_whole_file, leaves_out_itself_alone, looks_like_pdf, marks, unknown_marks
from .grounds import Grounds
from .hidden import hidden
from .shadows import drawn_anew, pages_of
from .signers import embedded

_LEVELS = {
    ModificationLevel.NONE: Modification.NONE,
    ModificationLevel.LTA_UPDATES: Modification.ARCHIVAL,
    ModificationLevel.FORM_FILLING: Modification.FORM,
}
_MOST_SIGNATURES = 50
_BY_SHA1 = frozenset({"/adbe.x509.rsa_sha1", "/adbe.pkcs7.sha1"})
# The library annotates only part of itself.
_VISIBLE: Any = is_field_visible
_LOCKING = {
    FieldMDPAction.ALL: Locking.ALL,
    FieldMDPAction.INCLUDE: Locking.INCLUDE,
    FieldMDPAction.EXCLUDE: Locking.EXCLUDE,
}
_CERTIFIED = {MDPPerm.NO_CHANGES: "nothing", MDPPerm.FILL_FORMS: "form", MDPPerm.ANNOTATE: "notes"}


def inspect(
    document: bytes,
    *,
    grounds: Grounds,
    profile: Profile,
    at: datetime,
    run: Callable[[Coroutine[Any, Any, Inspection]], Inspection] = asyncio.run,
    beside: Sequence[bytes] = (),
) -> Inspection:
    """Read one file; never raises for what is in it. ``run`` brings a loop of its own where none can be made.

    ``beside`` are time-stamps that came beside it, over what those in it are over.
    """
    if not looks_like_pdf(document):
        return Inspection(failure="not_pdf", marks=marks(document))
    try:
        return run(_inspect(document, grounds, profile, at, beside))
    except PdfDecodeLimitError:
        return Inspection(failure="limits", marks=marks(document))
    except MemoryError:
        return Inspection(failure="limits")
    except Exception:  # noqa: BLE001 - the library raises anything for malformed files; all of it means "unreadable"
        return Inspection(failure="malformed", marks=marks(document))


async def _inspect(
    document: bytes, grounds: Grounds, profile: Profile, at: datetime, beside: Sequence[bytes]
) -> Inspection:
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    if reader.encrypted:
        return Inspection(failure="encrypted", marks=marks(document))
    filled = list(enumerate_sig_fields(reader, filled_status=True))
    pages = int(reader.root["/Pages"]["/Count"])
    if len(filled) > _MOST_SIGNATURES:
        return Inspection(failure="limits", marks=marks(document))
    places = embedded(reader)
    signatures = [each for place in places for each in place]
    if len(signatures) > _MOST_SIGNATURES:
        return Inspection(failure="limits", marks=marks(document))
    carried = read_carried(reader)
    archives = archive_stamps(signatures, document, grounds.assessor, carried, at=at, beside=beside)
    look = _Look(document=document, grounds=grounds, profile=profile, at=at, carried=carried, archives=archives)
    examined = [
        (await _examine(each, look), len(place)) for place in places for each in place if each.sig_object_type == "/Sig"
    ]
    found = [replace(facts, signers=signers) for facts, signers in examined if not isinstance(facts, str)]
    known = {each.field_name for each in signatures}
    unread = [_unread_kind(value) for name, value, _ in filled if name not in known]
    unread += ["subfilter"] * (len(filled) - len(places) - len(unread))
    unread += [why for why, _ in examined if isinstance(why, str)]
    # A signature that somebody called a time-stamp afterwards is one that nobody would see any more.
    disguised = sum(each.disguised for each in archives)
    unread += ["signature_unconfirmed"] * disguised
    unseen = {
        _shown(each.field_name)
        for each in signatures
        if each.sig_object_type == "/DocTimeStamp" and not _VISIBLE(each.sig_field)
    }
    seen = {_shown(each.field_name) for each in signatures if _VISIBLE(each.sig_field)}
    beyond = hidden(reader)
    outside = tuple(beyond.outside)
    found = [replace(_further(facts, found, unseen, seen), uncovered=outside) for facts in found]
    found = [
        replace(facts, obscured=hides(document, facts.revision, pages_of(reader, facts.changed_fields)))
        if facts.pictured
        else facts
        for facts in found
    ]
    ranges = {tuple(map(int, value.get_object().get("/ByteRange", ()))) for _, value, _ in filled}
    seen_here = marks(document) - sum(not each.facts.beside for each in archives) + len(signatures) - len(places)
    return Inspection(
        failure="",
        # Who signed together did so in one place; what is packed leaves no mark, and hides no other.
        marks=max(seen_here, len(found) + len(unread) + unknown_marks(document, ranges)),
        pages=pages,
        signatures=tuple(found),
        unread=tuple(unread),
        hidden=beyond.told,
    )


@dataclass(frozen=True, kw_only=True)
class _Look:
    document: bytes
    grounds: Grounds
    profile: Profile
    at: datetime
    carried: Carried
    archives: Sequence[Archive]


async def _examine(signature: EmbeddedPdfSignature, look: _Look) -> SignatureFacts | str:
    """A short word where we cannot read it ourselves: the library alone is not safe to believe."""
    document = look.document
    byte_range = [int(value) for value in signature.byte_range]
    end = sum(byte_range[-2:])
    covered = b"".join(
        document[start : start + size] for start, size in zip(byte_range[::2], byte_range[1::2], strict=False)
    )
    signer = _own_look(signature, covered)
    if isinstance(signer, str):
        return signer
    stamps, proven = _stamped(signer, look, end)
    status = await async_validate_pdf_signature(
        signature,
        look.grounds.context(proven or look.at, past=proven is not None, lists=look.carried.lists),
        diff_policy=RULES,
    )
    difference = status.diff_result
    changed: set[str] = set()
    modification = Modification.OTHER
    covers_file = covers_whole_file(document, byte_range)
    if isinstance(difference, DiffResult):
        changed = {str(name) for name in difference.changed_form_fields}
        modification = _LEVELS.get(difference.modification_level, Modification.OTHER)
    if not leaves_out_itself_alone(document, byte_range, extract_contents(signature.sig_object)):
        covers_file, modification = False, Modification.OTHER
    if not covers_file and modification in {Modification.ARCHIVAL, Modification.FORM}:
        redrawn = drawn_anew(signature.reader, signature.signed_revision)
        if redrawn:
            changed, modification = changed | redrawn, Modification.FORM
        unseen = more_than_seen(
            signature.reader, document, revision=signature.signed_revision, end=end, changed=changed
        )
        modification = Modification.OTHER if unseen else modification
    certificate = look.grounds.assessor.assess(
        signature.signer_cert.dump(),
        others=[*(other.dump() for other in signature.other_embedded_certs), *look.carried.certificates],
        at=look.at,
        proven=proven,
        lists=[*look.carried.lists, *signer.lists],
        answers=[*look.carried.answers, *signer.answers],
    )
    around = Surroundings(
        assessor=look.grounds.assessor, at=look.at, others=look.carried.certificates, lists=look.carried.lists
    )
    countersigners, in_vain = countersigned(signer, around)
    return SignatureFacts(
        field=_shown(signature.field_name),
        claimed_at=status.signer_reported_dt,
        digest_matches=bool(status.intact) and signer.digest_matches is not False,
        signature_verifies=bool(status.valid) and signer.signature_verifies,
        covers_file=covers_file,
        modification=modification,
        permitted=bool(status.docmdp_ok),
        changed_fields=tuple(sorted(map(_shown, changed)))[:100],
        library_trusts=bool(status.trusted),
        certificate=certificate,
        format=Format.PDF,
        level=_level(proven, stamps, look, signer),
        stamps=stamps,
        absent=sum(each.alone for each in look.archives if each.end > end),
        proven_at=proven,
        algorithm=signer.algorithm,
        weak=signer.weak,
        other_certificate=signer.other_certificate,
        certified=_CERTIFIED.get(signature.docmdp_level, "") if signature.docmdp_level else "",
        revision=end if 0 < end <= len(document) else 0,
        locking=_LOCKING[signature.fieldmdp.action] if signature.fieldmdp else Locking.NONE,
        locked=tuple(map(_shown, (signature.fieldmdp.fields or ()) if signature.fieldmdp else ()))[:100],
        countersigners=countersigners,
        countersigned_in_vain=in_vain,
        value=base64.b64encode(signer.signature).decode(),
    )


def _further(
    facts: SignatureFacts, all_facts: Sequence[SignatureFacts], unseen: Collection[str], seen: set[str]
) -> SignatureFacts:
    """The same, unless all that came afterwards are signatures of people we know: then that is said.

    A signature brings a picture with it, and a picture can hide something: so only whoever vouches for theirs may add
    one. Its own verdict stands beside.
    """
    if facts.modification is not Modification.FORM or not facts.changed_fields:
        return facts
    later = {each.field for each in all_facts if each.revision > facts.revision}
    # In one field there may be several signers; one whom nobody vouches for is enough.
    later -= {each.field for each in all_facts if not _vouched(each)}
    if later and set(facts.changed_fields) <= {*later, *unseen}:
        return replace(facts, modification=Modification.SIGNED, pictured=not seen.isdisjoint(facts.changed_fields))
    return facts


def _vouched(facts: SignatureFacts) -> bool:
    return (
        facts.digest_matches
        and facts.signature_verifies
        and not facts.weak
        and facts.library_trusts
        and facts.certificate.chain is Chain.TRUSTED
        and facts.certificate.purpose
        and facts.certificate.revocation in {Revocation.GOOD, Revocation.LATER}
    )


def _unread_kind(value: Any) -> str:
    """Why a filled field is no signature that can be checked: by an old kind that stands on SHA-1, or another."""
    kind = str(value.get_object().get("/SubFilter", ""))
    return "subfilter_sha1" if kind in _BY_SHA1 else "subfilter"


def _own_look(signature: EmbeddedPdfSignature, covered: bytes) -> Signer | str:
    """The only signer of the CMS object by our own reading; a short word where there is none."""
    try:
        (signer,) = read(signature.pkcs7_content, covered, padded=True).signers
    except ValueError:
        return "part_malformed"
    return "unknown_algorithm" if signer.unknown_algorithm else signer


def _stamped(signer: Signer, look: _Look, end: int) -> tuple[tuple[StampFacts, ...], datetime | None]:
    later = [archive.facts for archive in look.archives if archive.end > end]
    around = Surroundings(
        assessor=look.grounds.assessor,
        at=look.at,
        others=look.carried.certificates,
        lists=look.carried.lists,
        answers=look.carried.answers,
        proven=proven_at(later),
    )
    stamps = (*(examine(token, signer.signature, around) for token in signer.tokens), *later)
    return stamps, proven_at(stamps)


def _level(proven: datetime | None, stamps: Sequence[StampFacts], look: _Look, signer: Signer) -> Level:
    if proven is None:
        return Level.B
    if not (look.carried.lists or look.carried.answers or signer.lists or signer.answers):
        return Level.T
    archived = any(stamp.archive and not stamp.beside and stamp.state is StampState.GOOD for stamp in stamps)
    return Level.LTA if archived else Level.LT


def _shown(text: object) -> str:
    return "".join(character for character in str(text or "") if character.isprintable())[:120]
