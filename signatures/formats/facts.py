# SPDX-License-Identifier: Apache-2.0
"""From one signer, however its signature was written, to what the verdict is made of."""

import base64
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..models import Chain, Format, Inspection, Level, Modification, Revocation, SealFacts, SignatureFacts
from ..pades.gate import looks_like_pdf
from ..pades.grounds import Grounds
from ..pades.hidden import Hidden, look_into
from ..proofs.counters import countersigned
from ..proofs.signed_data import Signer
from ..proofs.stamps import Surroundings, examine, proven_at

_MOST_ENCLOSED = 50


@dataclass(frozen=True, kw_only=True)
class Setting:
    """With what and as of when."""

    grounds: Grounds
    at: datetime
    # Brings a loop of its own where none can be made.
    run: Callable[[Coroutine[Any, Any, Inspection]], Inspection]


@dataclass(kw_only=True)
class Found:
    """What a reader collects."""

    signatures: list[SignatureFacts] = field(default_factory=list)
    # Signatures that were seen and could not be read, each by a short word.
    unread: list[str] = field(default_factory=list)
    # What the documents in it may hide or do, and how many were searched for that.
    hidden: Hidden = field(default_factory=Hidden)
    searched: int = 0

    def add(self, signer: Signer, setting: Setting, **more: object) -> None:
        """One signature."""
        if signer.unknown_algorithm:
            self.unread.append("unknown_algorithm")
        elif signer.certificate is None:
            self.unread.append("no_certificate")
        else:
            self.signatures.append(_facts(signer, signer.certificate, setting, Where(**more)))  # type: ignore[arg-type]  # fields by name

    def enclose(self, content: bytes | None) -> None:
        """A document that is signed as so many bytes; if a viewer takes it for a PDF, it is searched as one."""
        if content is None or not looks_like_pdf(content):
            return
        self.searched += 1
        if self.searched > _MOST_ENCLOSED:
            self.hidden.kinds.add("unsearched")
        else:
            look_into(content, self.hidden)

    @property
    def whole(self) -> tuple[SignatureFacts, ...]:
        """All signatures; none of them is over the files elsewhere of which a document shows parts."""
        outside = tuple(self.hidden.outside)
        return tuple(replace(each, uncovered=(*each.uncovered, *outside)) for each in self.signatures)


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the format says around a signature."""

    format: Format
    name: str = ""
    covered: Sequence[str] = ()
    uncovered: Sequence[str] = ()
    # What is known of its seal, given the moment that a time-stamp proves.
    seal: Callable[[datetime | None], SealFacts] | None = None


def _facts(signer: Signer, certificate: bytes, setting: Setting, where: Where) -> SignatureFacts:
    assessor = setting.grounds.assessor
    around = Surroundings(
        assessor=assessor, at=setting.at, others=signer.others, lists=signer.lists, answers=signer.answers
    )
    stamps = tuple(examine(token, over, around) for token, over in signer.stamped)
    proven = proven_at(stamps)
    found = assessor.assess(
        certificate,
        others=signer.others,
        at=setting.at,
        proven=proven,
        lists=signer.lists,
        answers=signer.answers,
    )
    level = Level.B
    if proven is not None:
        level = Level.LT if signer.lists or signer.answers else Level.T
    countersigners, in_vain = countersigned(signer, around)
    return SignatureFacts(
        field=shown(where.name),
        claimed_at=signer.claimed_at,
        digest_matches=signer.digest_matches is True,
        signature_verifies=signer.signature_verifies,
        covers_file=True,
        modification=Modification.NONE,
        permitted=True,
        changed_fields=(),
        # No second library reads these; our own look is the only one.
        library_trusts=found.chain is Chain.TRUSTED and found.revocation is not Revocation.REVOKED,
        certificate=found,
        format=where.format,
        level=level,
        stamps=stamps,
        proven_at=proven,
        content_present=signer.digest_matches is not None,
        algorithm=shown(signer.algorithm),
        weak=signer.weak,
        other_certificate=signer.other_certificate,
        covered=tuple(map(shown, where.covered)),
        uncovered=tuple(map(shown, where.uncovered)),
        seal=where.seal(proven) if where.seal else None,
        countersigners=countersigners,
        countersigned_in_vain=in_vain,
        value=base64.b64encode(signer.value or signer.signature).decode(),
    )


def not_over(content: bytes, facts: SignatureFacts) -> SignatureFacts:
    """The same, and that this file, which came beside, is not covered; it has no name but its digest."""
    return replace(facts, uncovered=(*facts.uncovered, beside(content)))


def beside(content: bytes) -> str:
    """How a file that came without a name is named."""
    return f"SHA-256 {hashlib.sha256(content).hexdigest()}"


def shown(text: str) -> str:
    """Fit for a terminal and a page."""
    return "".join(character for character in text if character.isprintable())[:120]
