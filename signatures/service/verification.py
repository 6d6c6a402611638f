# SPDX-License-Identifier: Apache-2.0
"""Answers whether a signed document can be trusted; anonymous, and recorded without a word about its content."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit import Event, Outcome, Recorder
from core.clock import Clock

from ..errors import NoRevision, SandboxFailed
from ..looks import Revisions
from ..models import Ask, Inspection, Profile, Trust, Verdict
from ..sandbox import ReaderPool
from ..verdict import judge, unreadable
from .commitment import Commitments


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who wants to know, as far as the record may say."""

    # Role of the site that asks, empty for the public.
    caller: str = ""
    # Prefix of the network an anonymous request came from (/24 or /48), never an address.
    network: str = ""


class Verification:
    """Reads in a process of its own, judges, records, answers: in this order, so no verdict leaves unrecorded."""

    def __init__(
        self,
        *,
        readers: ReaderPool,
        trust: Callable[[], Trust],
        lists: Callable[[], Sequence[bytes]],
        recorder: Recorder,
        commitments: Commitments,
        clock: Clock,
        foreign: Callable[[Sequence[Ask]], Sequence[bytes]] | None = None,
    ) -> None:
        """``foreign`` asks issuers that are not the site's own; without it nobody is asked."""
        self._foreign = foreign
        self._readers = readers
        self._trust = trust
        self._lists = lists
        self._recorder = recorder
        self._commitments = commitments
        self._clock = clock

    def verify(
        self,
        document: bytes,
        *,
        asker: Asker,
        profile: Profile = Profile.STRICT,
        content: bytes | None = None,
        beside: Sequence[bytes] = (),
    ) -> Verdict:
        """The verdict on one document; whatever the document is, there is one.

        ``content`` is what a detached signature is over, ``beside`` are time-stamps that came beside a PDF.

        Raises:
            Busy: too many documents at once.
            RecordUnavailable: the access could not be recorded, so it was not answered.
        """
        verdict, asked = self._judge(document, content, profile, beside)
        attributes: dict[str, str | int | bool] = {
            "verdict": verdict.overall.value,
            "indication": verdict.indication.value,
            "signatures": sum(1 for one in verdict.signatures if one.facts is not None),
            "profile": profile.value,
        }
        if asked:
            attributes["asked"] = asked
        if verdict.subindication:
            attributes["subindication"] = verdict.subindication
        if asker.caller:
            attributes["caller"] = asker.caller
        if asker.network:
            attributes["network"] = asker.network
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="signature.verified",
                outcome=Outcome.SUCCESS,
                at=verdict.checked_at,
                source="signatures",
                object=self._commitments.of(document),
                attributes=attributes,
            )
        )
        return verdict

    def signed(self, document: bytes, *, asker: Asker, number: int = 1) -> tuple[Verdict, int]:
        """The verdict, and how many of the document's bytes were there when signature ``number`` was made.

        Raises:
            NoRevision: it has none, or that signature does not fit what it covers, so that nothing is known of it.
            Busy, RecordUnavailable: as ``verify``.
        """
        verdict = self.verify(document, asker=asker)
        facts = verdict.signatures[number - 1].facts if number <= len(verdict.signatures) else None
        if facts is None or not facts.revision or not facts.digest_matches or not facts.signature_verifies:
            raise NoRevision
        return verdict, facts.revision

    def compared(self, document: bytes, *, asker: Asker, number: int = 1) -> tuple[Verdict, Revisions]:
        """The verdict, and what was signed beside what the document shows now.

        Raises:
            NoRevision: as ``signed``, or one of both cannot be drawn within the limits of a reading process.
            Busy, RecordUnavailable: as ``verify``.
        """
        verdict, end = self.signed(document, asker=asker, number=number)
        try:
            return verdict, self._readers.compare(document, end=end)
        except SandboxFailed as error:
            raise NoRevision from error

    def _judge(
        self, document: bytes, content: bytes | None, profile: Profile, beside: Sequence[bytes]
    ) -> tuple[Verdict, int]:
        """And how many statements of foreign issuers were had for it."""
        at = self._clock.now()
        said: Sequence[bytes] = ()

        def inspected() -> Inspection:
            return self._readers.inspect(
                document,
                trust=self._trust(),
                lists=self._lists(),
                profile=profile,
                at=at,
                content=content,
                said=said,
                tokens=beside,
            )

        try:
            found = inspected()
            if self._foreign is not None and (asks := _asks(found)):
                said = self._foreign(asks)
                found = inspected() if said else found
        except SandboxFailed as error:
            return unreadable(document, error.reason, profile=profile, at=at, content=content), len(said)
        return judge(document, found, profile=profile, at=at, content=content), len(said)


def _asks(found: Inspection) -> list[Ask]:
    return [
        ask
        for one in found.signatures
        for asks in (one.certificate.asks, *(stamp.asks for stamp in one.stamps))
        for ask in asks
    ]
