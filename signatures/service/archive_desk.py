# SPDX-License-Identifier: Apache-2.0
"""The archive for whoever answers for an organisation: what it keeps, how it stands, each with its proof."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit import Event, Outcome, Recorder
from core.clock import Clock
from directory.models import Organisation

from ..archive import Archived, NoSuchArchived, NotResponsible, Outlook
from ..formats.kept import Beside, pack
from ..models import Verdict
from ..shelf import Shelved
from .archiving import Archiving
from .desk import Desk
from .responsible import Responsible

TOGETHER = 50
"""Documents that are listed at once."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One document on the page."""

    archived: Archived
    name: str
    outlook: Outlook


class ArchiveDesk:
    """Takes in, shows and hands out; whoever a document does not concern is told that there is none."""

    def __init__(
        self,
        *,
        archiving: Archiving,
        desk: Desk,
        responsible: Responsible,
        roots: Callable[[], Sequence[str]],
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        """``roots`` are those from which whoever gets a document starts, PEM."""
        self._archiving = archiving
        self._desk = desk
        self._responsible = responsible
        self._roots = roots
        self._recorder = recorder
        self._clock = clock

    def organisations(self, subject: str) -> list[Organisation]:
        """Those for whose documents a person answers."""
        return self._responsible.organisations(subject)

    def waiting(self, subject: str) -> list[Shelved]:
        """Documents of the person that carry a signature, so that they can be put into the archive."""
        return [each for each in self._desk.all_of(subject) if each.facts.signatures]

    def deposit(self, subject: str, document: str, *, organisation: str) -> Archived:
        """Put one of the person's documents into the archive of an organisation; a refusal is recorded too.

        Raises:
            NotResponsible: they do not answer for it.
            NoSuchDocument: it is not theirs.
            NotArchivable and others: as ``Archiving.deposit``.
        """
        if organisation not in {each.id for each in self.organisations(subject)}:
            self._recorder.record(
                Event(
                    key=secrets.token_hex(16),
                    type="signature.archive.refused",
                    outcome=Outcome.DENIED,
                    at=self._clock.now(),
                    source="signatures",
                    subject=subject,
                    organisation=organisation,
                    attributes={"code": NotResponsible.code},
                )
            )
            raise NotResponsible
        kept = self._desk.one(subject, document)
        return self._archiving.deposit(
            f"person:{subject}",
            self._desk.read(subject, document),
            name=kept.facts.name,
            organisation=organisation,
        )

    def listed(self, organisation: Organisation, *, before: tuple[datetime, str] | None) -> list[Listed]:
        """What an organisation keeps, the newest first, one more than are shown at once."""
        found = self._archiving.of(organisation.id, before=before, limit=TOGETHER + 1)
        return [self._shown(each) for each in found]

    def one(self, subject: str, identifier: str) -> Listed:
        """One document, for whoever answers for it.

        Raises:
            NoSuchArchived: there is none, or it does not concern them.
        """
        return self._shown(self._found(subject, identifier))

    def judged(self, listed: Listed) -> Verdict:
        """What the site says of it at this moment."""
        return self._archiving.judged(listed.archived)

    def packed(self, subject: str, identifier: str) -> bytes:
        """A document with its proof, as one ZIP file; on the record first.

        Raises:
            NoSuchArchived: as ``one``.
        """
        archived = self._found(subject, identifier)
        name = self._archiving.name(archived).removesuffix(".pdf") + ".pdf"
        document, seconds = self._archiving.packed(archived, reader=subject)
        beside = [Beside(number=each.number, digest=each.digest, at=each.at, token=each.token) for each in seconds]
        return pack(name, document, stamps=archived.stamps, roots=self._roots(), beside=beside)

    def _found(self, subject: str, identifier: str) -> Archived:
        for each in self.organisations(subject):
            try:
                return self._archiving.answered_for(each.id, identifier)
            except NoSuchArchived:
                continue
        raise NoSuchArchived

    def _shown(self, archived: Archived) -> Listed:
        return Listed(archived=archived, name=self._archiving.name(archived), outlook=self._archiving.outlook(archived))
