# SPDX-License-Identifier: Apache-2.0
"""What people do about their own entry, by way of sign-on, which has proved who they are. Every verb asks again."""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import NoSuchPerson, WrongCredentials
from ..models import Person
from .profiles import Profiles
from .reading import Directory

SetPassword = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class OwnEntry:
    """What the directory holds about somebody, as far as it is theirs to see."""

    person: Person
    telephone: str
    language: str


class Own:
    """For one role alone, sign-on; whoever is disabled has no own entry any more."""

    def __init__(self, *, directory: Directory, profiles: Profiles, set_password: SetPassword) -> None:
        self._directory = directory
        self._profiles = profiles
        self._set_password = set_password

    def entry(self, subject: str) -> OwnEntry:
        """Read it.

        Raises:
            NoSuchPerson: nobody, or disabled.
            DirectoryUnavailable: nobody could be asked.
        """
        person = self._enabled(subject)
        contact = self._profiles.contact(person.subject)
        return OwnEntry(person=person, telephone=contact["telephoneNumber"], language=contact["preferredLanguage"])

    def change(self, subject: str, *, mail: str, telephone: str, language: str) -> bool:
        """Change where one is written to and called, and in which language; whether that changed anything.

        Raises:
            NoSuchPerson, BadName, RecordUnavailable, Pending: as ``Profiles.change``.
        """
        person = self._enabled(subject)
        return self._profiles.change(
            person.subject, mail=mail, telephone=telephone, language=language, actor=person.subject
        )

    def change_password(self, subject: str, current: str, password: str) -> None:
        """Take a new password from whoever knows the present one; sessions of before end by the news of it.

        Raises:
            WrongCredentials: the present one is wrong.
            WeakPassword, KnownPassword, NoSuchPerson, DirectoryUnavailable, Pending: as ``set_password``.
        """
        person = self._enabled(subject)
        if self._directory.authenticate(person.username, current).subject != person.subject:
            raise WrongCredentials
        self._set_password(person.subject, password, actor=person.subject)

    def recover(self, subject: str, password: str) -> None:
        """Take a new password from whoever sign-on let through its recovery; recorded as done by sign-on.

        Raises:
            WeakPassword, KnownPassword, NoSuchPerson, DirectoryUnavailable, Pending: as ``set_password``.
        """
        self._set_password(self._enabled(subject).subject, password, actor="role:sso")

    def _enabled(self, subject: str) -> Person:
        person = self._directory.person(subject)
        if not person.enabled:
            raise NoSuchPerson
        return person
