# SPDX-License-Identifier: Apache-2.0
"""Documents that people bring to sign: looked at in a process of its own, kept on the shelf, shown to them alone."""

import hashlib

from ..config import SignatureSettings
from ..errors import CannotSeal, NothingSent, SandboxFailed
from ..sandbox import ReaderPool
from ..shelf import Facts, Limits, Shelf, Shelved

_LONGEST_NAME = 120


class Desk:
    """What one person's documents are."""

    def __init__(self, *, shelf: Shelf, readers: ReaderPool, settings: SignatureSettings) -> None:
        self._shelf = shelf
        self._readers = readers
        self.limits = Limits(
            most=settings.kept_most,
            most_bytes=settings.kept_bytes,
            most_bytes_of_all=settings.kept_bytes_of_all,
            lifetime=settings.kept_for,
        )

    def bring(self, subject: str, document: bytes, *, name: str) -> Shelved:
        """Keep a document for a person.

        Raises:
            NothingSent: it is empty.
            CannotSeal: it is no PDF that can be signed.
            ShelfFull: there is no room for it.
            Busy: every reading process is at work.
        """
        return self.keep(owner(subject), document, name=name)

    def keep(self, whose: str, document: bytes, *, name: str) -> Shelved:
        """The same for any owner; raises alike."""
        return self._shelf.put(whose, document, facts=self.facts(document, name=name), limits=self.limits)

    def facts(self, document: bytes, *, name: str) -> Facts:
        """What a document is, which is not kept.

        Raises:
            NothingSent, CannotSeal, Busy: as ``bring``.
        """
        if not document:
            raise NothingSent
        try:
            said = self._readers.describe(document)
        except SandboxFailed as error:
            raise CannotSeal from error
        return Facts(
            name=name_of_file(name),
            sha256=hashlib.sha256(document).hexdigest(),
            title=said.title,
            pages=said.pages,
            signatures=int(said.signed),
        )

    def all_of(self, subject: str) -> list[Shelved]:
        """A person's documents, newest first."""
        return self._shelf.of(owner(subject))

    def one(self, subject: str, identifier: str) -> Shelved:
        """One of them.

        Raises:
            NoSuchDocument: not here, not theirs, or over.
        """
        return self._shelf.one(owner(subject), identifier)

    def read(self, subject: str, identifier: str) -> bytes:
        """One of them, whole.

        Raises:
            NoSuchDocument: not here, not theirs, or over.
        """
        return self._shelf.read(owner(subject), identifier)

    def remove(self, subject: str, identifier: str) -> None:
        """Forget one for good.

        Raises:
            NoSuchDocument: not here, or not theirs.
        """
        self._shelf.remove(owner(subject), identifier)

    def tidy(self) -> int:
        """Forget what is over; how many that was."""
        return self._shelf.tidy()


def owner(subject: str) -> str:
    """By which the shelf knows a person."""
    return f"person:{subject}"


def name_of_file(name: str) -> str:
    """What a browser called a file, as it can be shown and written into a header."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in last if each.isprintable() and each not in '"\\<>:|?*').strip(" .")
    return kept[-_LONGEST_NAME:] or "document.pdf"
