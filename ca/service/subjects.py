# SPDX-License-Identifier: Apache-2.0
"""What a certificate will say of its subject, taken from the directory and from nowhere else."""

import ipaddress
import re
import uuid
from typing import Protocol

from core.errors import N_
from directory import Device, Organisation, Person

from ..errors import SubjectDisabled, SubjectUnsuitable
from ..models import IssueRequest
from ..x509 import Profile, Subject, SubjectKind

_LABEL = re.compile(r"[a-z][a-z0-9.-]{0,62}")
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TAG_YEAR = 2026
"""Tags name their authority by domain and the year it was theirs (RFC 4151 section 2.1)."""
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

    def __init__(self, *, directory: DirectorySource | None, country: str, domain: str) -> None:
        self._directory = directory
        self._country = country
        self._domain = domain

    def of(self, profile: Profile, request: IssueRequest) -> Subject:
        """The subject of one request.

        Raises:
            SubjectUnsuitable: not the kind the profile is for, or not a name of ours.
            SubjectDisabled: disabled in the directory.
            NotFound: the directory does not know it.
        """
        if profile.subject is SubjectKind.MACHINE:
            return self._machine(profile, request)
        if request.hosts:
            raise SubjectUnsuitable(why=N_("only a server has host names"))
        if profile.subject is SubjectKind.ORGANISATION:
            return self._organisation(request.subject)
        identifier = _identifier(request.subject)
        if profile.subject is SubjectKind.DEVICE:
            return self._device(identifier)
        return self._person(profile, identifier)

    def _person(self, profile: Profile, identifier: str) -> Subject:
        person = self._source().person(identifier)
        if not person.enabled:
            raise SubjectDisabled
        if profile.subject is not SubjectKind.PERSON and person.kind.value != profile.subject.value:
            raise SubjectUnsuitable(why=N_("the person is not of the kind this certificate is for"))
        agency = ""
        if profile.subject is SubjectKind.CIVIL_SERVANT and person.organisation:
            agency = _display(self._source().organisation(person.organisation))
        return Subject(
            common_name=_display(person),
            country=self._country,
            organisation=agency,
            number=identifier,
            uri=f"urn:uuid:{identifier}",
        )

    def _organisation(self, identifier: str) -> Subject:
        if not _IDENTIFIER.fullmatch(identifier):
            raise SubjectUnsuitable(why=N_("the subject is not a directory identifier"))
        found = self._source().organisation(identifier)
        name = _display(found)
        return Subject(
            common_name=name,
            country=self._country,
            organisation=name,
            number=found.credit_code or identifier,
            uri=f"tag:{self._domain},{TAG_YEAR}:organisation:{identifier}",
        )

    def _device(self, identifier: str) -> Subject:
        device = self._source().device(identifier)
        if not device.enabled:
            raise SubjectDisabled
        owner = _display(self._source().organisation(device.organisation)) if device.organisation else ""
        return Subject(
            common_name=device.name,
            country=self._country,
            organisation=owner,
            number=identifier,
            uri=f"urn:uuid:{identifier}",
        )

    def _machine(self, profile: Profile, request: IssueRequest) -> Subject:
        if not _LABEL.fullmatch(request.subject):
            raise SubjectUnsuitable(why=N_("a machine is named by a short lower-case label"))
        if (profile.name == "server") != bool(request.hosts):
            raise SubjectUnsuitable(why=N_("a server has host names, other machines have none"))
        for host in request.hosts:
            self._check_host(host)
        return Subject(common_name=request.subject, country=self._country, hosts=request.hosts)

    def _check_host(self, host: str) -> None:
        try:
            own = ipaddress.ip_address(host).is_loopback
        except ValueError:
            own = bool(_HOST.fullmatch(host)) and (
                host in (self._domain, "localhost") or host.endswith(f".{self._domain}")
            )
        if not own:
            raise SubjectUnsuitable(why=N_("a server's host names lie in the site's own domain"))

    def _source(self) -> DirectorySource:
        if self._directory is None:
            raise SubjectUnsuitable(why=N_("the directory is not there yet"))
        return self._directory


def _identifier(unverified: str) -> str:
    try:
        found = str(uuid.UUID(unverified))
    except ValueError as error:
        raise SubjectUnsuitable(why=N_("the subject is not a directory identifier")) from error
    if found != unverified:
        raise SubjectUnsuitable(why=N_("the subject is not a directory identifier"))
    return found


def _display(entry: Person | Organisation) -> str:
    return entry.name_zh or entry.name
