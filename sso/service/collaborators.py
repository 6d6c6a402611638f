# SPDX-License-Identifier: Apache-2.0
"""Whom sign-on works with, as narrow as it needs them: the directory, the card's issuer and the policies."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from ..models import LoginDecision
from ..oauth.openid.claims import Holder


class Proofed(Protocol):
    """How surely the registrar knew the person."""

    @property
    def level(self) -> int:
        """0 not at all, 1 claimed, 2 documents, 3 face to face."""
        ...


class Mandate(Protocol):
    """The right to act for an organisation or another person."""

    @property
    def organisation(self) -> str:
        """Empty if it is for a person."""
        ...

    @property
    def principal(self) -> str:
        """Empty if it is for an organisation."""
        ...

    @property
    def holder(self) -> str:
        """Who may act."""
        ...

    @property
    def scope(self) -> str:
        """The name of a service, or ``all``."""
        ...

    @property
    def until(self) -> date:
        """Last day."""
        ...


class Named(Protocol):
    """An organisation."""

    @property
    def name(self) -> str:
        """In Latin letters."""
        ...

    @property
    def name_zh(self) -> str:
        """In Chinese."""
        ...


class Person(Holder, Protocol):
    """A person of the directory."""

    @property
    def proofing(self) -> Proofed:
        """Identity proofing."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether the person may use anything."""
        ...


class People(Protocol):
    """The directory's verbs that matter here."""

    def authenticate(self, username: str, password: str) -> Person:
        """Bind as this person.

        Raises:
            Unauthenticated: unknown, disabled, wrong or empty alike.
            Unavailable: the directory does not answer.
        """
        ...

    def person(self, subject: str) -> Person:
        """Look somebody up.

        Raises:
            NotFound: nobody.
            Unavailable: the directory does not answer.
        """
        ...

    def person_by_username(self, username: str) -> Person:
        """Look somebody up by what they log in with.

        Raises:
            NotFound: nobody.
            Unavailable: the directory does not answer.
        """
        ...

    def organisation(self, identifier: str) -> Named:
        """Look an organisation up.

        Raises:
            NotFound: none.
            Unavailable: the directory does not answer.
        """
        ...

    def mandates_of(self, holder: str) -> Sequence[Mandate]:
        """For whom somebody may act today, organisations and people.

        Raises:
            Unavailable: the directory does not answer.
        """
        ...

    def mandates_for(self, principal: str) -> Sequence[Mandate]:
        """Who may act for a person today.

        Raises:
            Unavailable: the directory does not answer.
        """
        ...


class OwnEntry(Protocol):
    """What people do about their own entry in the directory, which asks everything again."""

    def entry(self, subject: str) -> Mapping[str, str]:
        """The entry: names, address, telephone, language, proofing.

        Raises:
            NotFound: nobody, or disabled.
            Unavailable: the directory does not answer.
        """
        ...

    def change(self, subject: str, *, mail: str, telephone: str, language: str) -> bool:
        """Change it; whether anything changed.

        Raises:
            Invalid: no address, number or language.
            Unavailable: directory or record are out of reach.
        """
        ...

    def change_password(self, subject: str, current: str, password: str) -> None:
        """Take a new password from whoever knows the present one.

        Raises:
            Unauthenticated: the present one is wrong.
            Invalid: ``weak_password`` or ``known_password``.
            Unavailable: directory or record are out of reach.
        """
        ...

    def recover(self, subject: str, password: str) -> None:
        """Take a new password without the present one.

        Raises:
            Invalid: ``weak_password`` or ``known_password``.
            Unavailable: directory or record are out of reach.
        """
        ...


class Card(Protocol):
    """A verified certificate."""

    @property
    def serial(self) -> str:
        """Lower-case hexadecimal."""
        ...

    @property
    def subject(self) -> str:
        """Identifier of the person."""
        ...


class Cards(Protocol):
    """What the certificate authority's parts do for a login."""

    def verify(self, certificate_pem: bytes, *, at: datetime) -> Card:
        """Check chain, dates and purpose.

        Raises:
            Unauthenticated: it is not a person's valid certificate.
        """
        ...

    def good(self, serial: str) -> bool:
        """Ask its issuer whether it still counts.

        Raises:
            Unavailable: the issuer does not answer, so nobody logs in with it.
        """
        ...


class DecideLogin(Protocol):
    """The policies' word on a login; an answer is a value."""

    def __call__(
        self, *, person: Person, client: str, assurance: int, methods: tuple[str, ...], at: datetime
    ) -> LoginDecision:
        """Decide; ``client`` is empty for "My account"."""
        ...
