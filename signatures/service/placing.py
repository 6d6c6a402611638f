# SPDX-License-Identifier: Apache-2.0
"""Lets a person see where a seal will stand on a document of theirs, and puts it there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.errors import NotFound

from ..errors import CannotSeal, NoSuchPage, SandboxFailed
from ..looks import EmptyField, Picture
from ..models import SealOrder
from ..pades.drawing import MM
from ..sandbox import ReaderPool
from ..shelf import Shelved
from .desk import Desk
from .permission import People

_MARGIN = 15 * MM
Outline = tuple[float, float, float, float]


class Seals(Protocol):
    """Sets a seal, or takes the order for a second person."""

    def seal(self, order: SealOrder, /, *, name: str) -> bytes:
        """The sealed document."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a person sees before they confirm: the page, and where the seal would stand on it, in points."""

    picture: Picture
    x: float
    y: float
    width: float
    height: float
    fields: tuple[EmptyField, ...]


class Placing:
    """Pictures of one's own documents, and the seal that goes onto one."""

    def __init__(self, *, desk: Desk, readers: ReaderPool, sealing: Seals, people: People) -> None:
        self._desk = desk
        self._readers = readers
        self._sealing = sealing
        self._people = people

    def organisations(self, subject: str) -> list[tuple[str, str, str]]:
        """Whose seals the person may perhaps use: identifier, name, Chinese name. Whether they may, the policy says."""
        try:
            person = self._people.person(subject)
        except NotFound:
            return []
        known = dict.fromkeys(filter(None, (person.organisation, *(each.organisation for each in person.mandates))))
        found = []
        for identifier in known:
            try:
                organisation = self._people.organisation(identifier)
            except NotFound:
                continue
            found.append((organisation.id, organisation.name, organisation.name_zh))
        return found

    def known(self, organisation: str) -> bool:
        """Whether the directory knows an organisation by this identifier."""
        try:
            self._people.organisation(organisation)
        except NotFound:
            return False
        return True

    def person(self, username: str) -> str:
        """The subject of whoever the directory knows by this user name; empty for nobody."""
        try:
            return self._people.person_by_username(username).subject
        except NotFound:
            return ""

    def person_name(self, subject: str, *, chinese: bool) -> str:
        """What to call a person; the subject where the directory does not say."""
        try:
            found = self._people.person(subject)
        except NotFound:
            return subject
        return (found.name_zh or found.name) if chinese else found.name

    def name(self, organisation: str, *, chinese: bool) -> str:
        """What to call it; the identifier where the directory does not say."""
        try:
            found = self._people.organisation(organisation)
        except NotFound:
            return organisation
        return (found.name_zh or found.name) if chinese else found.name

    def place(
        self,
        subject: str,
        identifier: str,
        *,
        page: int,
        across: int,
        choose: Callable[[Picture], tuple[float, float]],
        size: tuple[float, float],
        field: str = "",
    ) -> Place:
        """One page with the place that ``choose`` finds for the lower left corner, moved so that ``size`` fits on it.

        Raises:
            NoSuchDocument: not theirs.
            NoSuchPage, CannotSeal: there is nothing to be seen.
        """
        document = self._desk.read(subject, identifier)
        try:
            fields = self._readers.empty_fields(document)
            there = next((each for each in fields if field and each.name == field), None)
            picture = self._readers.picture(document, page=there.page if there else page, across=across)
        except SandboxFailed as error:
            raise (NoSuchPage if error.reason == "no_page" else CannotSeal) from error
        if there is not None:
            return Place(picture=picture, x=there.x, y=there.y, width=there.width, height=there.height, fields=fields)
        width, height = size
        x, y = choose(picture)
        x = min(max(0.0, x), max(0.0, picture.wide - width))
        y = min(max(0.0, y), max(0.0, picture.high - height))
        return Place(picture=picture, x=x, y=y, width=width, height=height, fields=fields)

    def drawn(self, subject: str, identifier: str, *, page: int, across: int, outline: Outline | None) -> bytes:
        """The page as PNG, a frame around the place.

        Raises:
            NoSuchDocument, NoSuchPage, CannotSeal: as ``place``.
        """
        document = self._desk.read(subject, identifier)
        try:
            return self._readers.picture(document, page=page, across=across, outline=outline).png
        except SandboxFailed as error:
            raise (NoSuchPage if error.reason == "no_page" else CannotSeal) from error

    def seal(self, subject: str, identifier: str, order: Callable[[bytes], SealOrder]) -> Shelved:
        """Seal the document by this order and keep the sealed one beside it.

        Raises:
            SecondAsked: the order waits for a second keeper.
            TallygateError: as ``Sealing.seal`` and ``Desk.bring``.
        """
        kept = self._desk.one(subject, identifier)
        sealed = self._sealing.seal(order(self._desk.read(subject, identifier)), name=kept.facts.name)
        return self._desk.bring(subject, sealed, name=f"{kept.facts.name.removesuffix('.pdf')}-sealed.pdf")


def corner(picture: Picture, *, width: float) -> tuple[float, float]:
    """Where a seal goes when nothing is said: the lower right."""
    return picture.wide - width - _MARGIN, _MARGIN
