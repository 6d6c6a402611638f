# SPDX-License-Identifier: Apache-2.0
"""What a certificate will say of its subject, taken from the directory and from nowhere else."""

import ipaddress
import re
import uuid
from collections.abc import Callable, Sequence
from copy import copy
from datetime import UTC, datetime, time
from functools import cache
from typing import Protocol

from core.clock import Clock
from core.errors import N_, NotFound, Unavailable
from core.log import logger
from directory import Device, Organisation, Person

from ..errors import SubjectDisabled, SubjectUnsuitable
from ..models import IssueRequest
from ..x509 import Hosts, Profile, Subject, SubjectKind
from .notes import is_identifier

_log = logger(__name__)
_LABEL = re.compile(r"[a-z][a-z0-9.-]{0,62}")
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 64
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class DirectorySource(Protocol):
    """The directory as far as the authority looks into it; lookups of strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...

    def device(self, identifier: str, /) -> Device:
        """One device."""
        ...


class Subjects:
    """Turns a directory entry into a subject; machines are named by operators, within the site's own domain."""

    def __init__(
        self,
        *,
        directory: DirectorySource | None,
        country: str,
        domain: str,
        clock: Clock,
        others: Sequence[str] = (),
        networks: Sequence[str] = (),
        codes: Callable[[str], str] = lambda _organisation: "",
    ) -> None:
        """``codes`` tells an organisation's credit code, which the directory keeps sealed."""
        self._codes = codes
        self._directory = directory
        self._country = country
        self._domain = domain
        self._clock = clock
        # What else servers of devices and organisations may be named by.
        self._others = tuple(others)
        self._networks = [ipaddress.ip_network(each) for each in networks]

    def at_once(self) -> "Subjects":
        """The same for many requests of this moment: people and organisations are looked up once, devices each."""
        found = copy(self)
        if self._directory is not None:
            found._directory = _Remembering(self._directory)  # noqa: SLF001 - a copy of our own
        return found

    def of(self, profile: Profile, request: IssueRequest) -> Subject:
        """The subject of one request.

        Raises:
            SubjectUnsuitable: not the kind the profile is for, or not a name of ours.
            SubjectDisabled: disabled in the directory.
            NotFound: the directory does not know it.
        """
        if profile.hosts is Hosts.NONE and request.hosts:
            raise SubjectUnsuitable(why=N_("only a server has host names"))
        if profile.hosts is Hosts.REQUIRED and not request.hosts:
            raise SubjectUnsuitable(why=N_("a server has host names, other machines have none"))
        if request.organisation and profile.subject is not SubjectKind.REPRESENTATIVE:
            raise SubjectUnsuitable(why=N_("only a representative acts for an organisation"))
        for host in request.hosts:
            self._check_host(host, own=profile.subject is SubjectKind.MACHINE)
        name, attributes, until = self._known(profile.subject, request)
        host = next((each for each in request.hosts if len(each) <= _LONGEST_NAME), "")
        return Subject(
            name=name,
            attributes={"country": self._country, "domain": self._domain, "name": name, "host": host, **attributes},
            hosts=request.hosts,
            until=until,
        )

    def acting(self, actor: str, subject: str) -> str:
        """What a person is called who acts on another one in office; empty for everybody else, and if nobody can tell.

        Who acts came through the gateway, which asked the same directory a moment ago.
        """
        if self._directory is None or actor == subject or not is_identifier(actor):
            return ""
        try:
            return _display(self._directory.person(actor))
        except (NotFound, Unavailable) as error:
            _log.info("actor_unnamed", code=error.code)
            return ""

    def _known(self, kind: SubjectKind, request: IssueRequest) -> tuple[str, dict[str, str], datetime | None]:
        if kind is SubjectKind.MACHINE:
            if not _LABEL.fullmatch(request.subject):
                raise SubjectUnsuitable(why=N_("a machine is named by a short lower-case label"))
            return request.subject, {}, None
        if kind is SubjectKind.ORGANISATION:
            return *self._organisation(request.subject), None
        identifier = _identifier(request.subject)
        if kind is SubjectKind.DEVICE:
            return *self._device(identifier), None
        if kind is SubjectKind.REPRESENTATIVE:
            return self._representative(identifier, request.organisation)
        return *self._person(kind, identifier), None

    def _person(self, kind: SubjectKind, identifier: str) -> tuple[str, dict[str, str]]:
        person = self._enabled(identifier)
        if kind is not SubjectKind.PERSON and person.kind.value != kind.value:
            raise SubjectUnsuitable(why=N_("the person is not of the kind this certificate is for"))
        agency = ""
        if kind is SubjectKind.CIVIL_SERVANT and person.organisation:
            agency = _display(self._source().organisation(person.organisation))
        return _display(person), {**_of_person(person), "organisation": agency}

    def _representative(self, identifier: str, organisation: str) -> tuple[str, dict[str, str], datetime | None]:
        person, today = self._enabled(identifier), self._clock.now().date()
        last = [each.until for each in person.mandates if each.organisation == organisation and each.until >= today]
        if not organisation or not last:
            raise SubjectUnsuitable(why=N_("the person holds no mandate of this organisation"))
        name, known = self._organisation(organisation)
        # A mandate's last day counts whole.
        until = datetime.combine(max(last), time(23, 59, 59), UTC)
        return _display(person), {**_of_person(person), "organisation": name, "number": known["number"]}, until

    def _organisation(self, identifier: str) -> tuple[str, dict[str, str]]:
        if not _IDENTIFIER.fullmatch(identifier):
            raise SubjectUnsuitable(why=N_("the subject is not a directory identifier"))
        found = self._source().organisation(identifier)
        # A directory of an earlier release has it in clear.
        number = found.credit_code or self._codes(identifier) or identifier
        return _display(found), {"id": identifier, "name-latin": found.name, "number": number}

    def _device(self, identifier: str) -> tuple[str, dict[str, str]]:
        device = self._source().device(identifier)
        if not device.enabled:
            raise SubjectDisabled
        owner = _display(self._source().organisation(device.organisation)) if device.organisation else ""
        return device.name, {"id": identifier, "organisation": owner}

    def _enabled(self, identifier: str) -> Person:
        person = self._source().person(identifier)
        if not person.enabled:
            raise SubjectDisabled
        return person

    def _check_host(self, host: str, *, own: bool) -> None:
        """Whether a server may be called so; the site's ``own`` machines have no wildcards and no foreign names."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            name = host if own else host.removeprefix("*.")
            domains = (self._domain,) if own else (self._domain, *self._others)
            found = bool(_HOST.fullmatch(name)) and (
                host == "localhost" or any(name == each or name.endswith(f".{each}") for each in domains)
            )
        else:
            found = address.is_loopback or (not own and any(address in each for each in self._networks))
        if not found:
            raise SubjectUnsuitable(why=N_("a server's host names lie in the site's own domain"))

    def _source(self) -> DirectorySource:
        if self._directory is None:
            raise SubjectUnsuitable(why=N_("the directory is not there yet"))
        return self._directory


class _Remembering:
    """A directory that is asked about each person and organisation once."""

    def __init__(self, directory: DirectorySource) -> None:
        self.device = directory.device
        self.person = cache(directory.person)
        self.organisation = cache(directory.organisation)


def _identifier(unverified: str) -> str:
    try:
        found = str(uuid.UUID(unverified))
    except ValueError as error:
        raise SubjectUnsuitable(why=N_("the subject is not a directory identifier")) from error
    if found != unverified:
        raise SubjectUnsuitable(why=N_("the subject is not a directory identifier"))
    return found


def _of_person(person: Person) -> dict[str, str]:
    return {"id": person.subject, "name-latin": person.name, "username": person.username}


def _display(entry: Person | Organisation) -> str:
    return entry.name_zh or entry.name
