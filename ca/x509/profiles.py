# SPDX-License-Identifier: Apache-2.0
"""The kinds of certificates, as reviewed data: a change there changes what this authority vouches for.

Each file in ``ca/profiles`` is one profile, named like it. All are read once, when this module is imported, and
checked strictly: an unknown key, a placeholder the directory cannot fill or two profiles of one policy stop the start.
``docs/profiles.md`` is made from them.

A template's placeholders are what `ca.service.subjects` learns of a subject:

| subject                                | placeholders beside ``country`` and ``domain``                     |
| -------------------------------------- | ------------------------------------------------------------------ |
| citizen, civil-servant, person         | id, name, name-latin, username, organisation (agency, may be empty) |
| representative                         | the same, organisation is the represented one, and number          |
| organisation                           | id, name, name-latin, number (credit code, or id without one)      |
| device                                 | id, name, organisation (owner, may be empty)                       |
| machine                                | name (a label that an operator chose)                              |
| whoever has hosts                      | host, the first that fits a name's 64 characters                   |
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from core.config import ConfigurationError, decode

from ..errors import UnknownProfile
from ..models import ISSUERS

FOLDER = Path(__file__).parent.parent / "profiles"

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning, RFC 9336."""

SITE = "site"
"""How a policy below the site's own arc begins; it stands for ``oid_base``."""

KEYS = ("P-256", "P-384", "RSA", "Ed25519", "ML-DSA-65")
"""Kinds of public keys a profile may allow; RSA has 3072 to 8192 bits."""

_OFFICER = "ra-officer"
_MOST_DAYS = 10 * 365
_MOST_APPROVALS, _HIGHEST_ASSURANCE = 2, 3
_PLACEHOLDER = re.compile(r"\{([a-z-]+)\}")
_NAME = re.compile(r"[a-z]+(-[a-z0-9]+)*")
_POLICY = re.compile(rf"({SITE}|2\.25\.[1-9][0-9]{{0,38}})(\.(0|[1-9][0-9]{{0,8}}))+")


class SubjectKind(StrEnum):
    """Where the subject's attributes come from."""

    CITIZEN = "citizen"
    CIVIL_SERVANT = "civil-servant"
    PERSON = "person"
    # A person who holds a mandate of an organisation, for that organisation.
    REPRESENTATIVE = "representative"
    ORGANISATION = "organisation"
    DEVICE = "device"
    # The site's own machines: names from the request of an operator, not from the directory.
    MACHINE = "machine"


class Hosts(StrEnum):
    """Whether a certificate names hosts, which the request must bring."""

    NONE = "none"
    REQUIRED = "required"


class NameType(StrEnum):
    """Attributes of a subject's name."""

    COUNTRY = "country"
    ORGANISATION = "organisation"
    # ETSI EN 319 412-1 section 5.1.4.
    ORGANISATION_IDENTIFIER = "organisation-identifier"
    SERIAL_NUMBER = "serial-number"
    COMMON_NAME = "common-name"


class AlternativeType(StrEnum):
    """Kinds of alternative names; hosts are added by themselves."""

    URI = "uri"
    # Microsoft's user principal name (an otherName), by which a smart card logs in to Windows domains.
    UPN = "upn"


class Usage(StrEnum):
    """Key usage; encipherment is written for RSA keys alone, since no other key of ours can encipher."""

    DIGITAL_SIGNATURE = "digital-signature"
    CONTENT_COMMITMENT = "content-commitment"
    KEY_ENCIPHERMENT = "key-encipherment"


class Extended(StrEnum):
    """Extended key usage."""

    CLIENT_AUTH = "client-auth"
    SERVER_AUTH = "server-auth"
    SMART_CARD_LOGON = "smart-card-logon"
    DOCUMENT_SIGNING = "document-signing"
    OCSP_SIGNING = "ocsp-signing"
    TIME_STAMPING = "time-stamping"


NAME_OIDS: Mapping[NameType, ObjectIdentifier] = {
    NameType.COUNTRY: NameOID.COUNTRY_NAME,
    NameType.ORGANISATION: NameOID.ORGANIZATION_NAME,
    NameType.ORGANISATION_IDENTIFIER: NameOID.ORGANIZATION_IDENTIFIER,
    NameType.SERIAL_NUMBER: NameOID.SERIAL_NUMBER,
    NameType.COMMON_NAME: NameOID.COMMON_NAME,
}

EXTENDED_OIDS: Mapping[Extended, ObjectIdentifier] = {
    Extended.CLIENT_AUTH: ExtendedKeyUsageOID.CLIENT_AUTH,
    Extended.SERVER_AUTH: ExtendedKeyUsageOID.SERVER_AUTH,
    Extended.SMART_CARD_LOGON: ExtendedKeyUsageOID.SMARTCARD_LOGON,
    Extended.DOCUMENT_SIGNING: DOCUMENT_SIGNING,
    Extended.OCSP_SIGNING: ExtendedKeyUsageOID.OCSP_SIGNING,
    Extended.TIME_STAMPING: ExtendedKeyUsageOID.TIME_STAMPING,
}

_PERSON = frozenset({"id", "name", "name-latin", "username", "organisation"})
PLACEHOLDERS: Mapping[SubjectKind, frozenset[str]] = {
    kind: known | {"country", "domain"}
    for kind, known in {
        SubjectKind.CITIZEN: _PERSON,
        SubjectKind.CIVIL_SERVANT: _PERSON,
        SubjectKind.PERSON: _PERSON,
        SubjectKind.REPRESENTATIVE: _PERSON | {"number"},
        SubjectKind.ORGANISATION: frozenset({"id", "name", "name-latin", "number"}),
        SubjectKind.DEVICE: frozenset({"id", "name", "organisation"}),
        SubjectKind.MACHINE: frozenset({"name"}),
    }.items()
}


@dataclass(frozen=True, kw_only=True)
class NamePart:
    """One attribute of the subject's name; they stand in the certificate in the order of the file."""

    attribute: NameType
    # Text with {placeholders}.
    value: str
    # Left out where a placeholder is empty; otherwise the certificate is refused.
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One alternative name."""

    kind: AlternativeType
    value: str


@dataclass(frozen=True, kw_only=True)
class LintException:
    """One finding that does not stop a profile: which, where, and why that is right."""

    code: str
    # The finding's text must contain this, so that the exception excuses nothing else.
    about: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What one kind of certificate holds and who may ask for it; the fields are the keys of its file."""

    name: str
    # For whom and for what, in one sentence.
    about: str
    # "site.1.N" below the site's own arc, or a whole identifier below the UUID arc 2.25.
    policy: str
    # Which authorities issue it.
    issuers: tuple[str, ...]
    subject: SubjectKind
    names: tuple[NamePart, ...]
    # Both ends count: the last second is one before the same time of day.
    validity_days: int
    keys: tuple[str, ...]
    usage: tuple[Usage, ...]
    extended: tuple[Extended, ...]
    # Directory roles of officers, or "role:NAME" of roles of the site, that may ask.
    requesters: tuple[str, ...]
    # How many different officers must approve what a person asks for.
    approvals: int
    # Lowest assurance of a person who asks or approves.
    assurance: int = 2
    # Assurance from which a person has it made for oneself without an officer, by a role that carries the wish and by
    # policies that hold it against how well the person was proofed; 0: never.
    self_service: int = 0
    alternatives: tuple[Alternative, ...] = ()
    hosts: Hosts = Hosts.NONE
    extended_critical: bool = False
    # RFC 6960 section 4.2.2.2.1: a responder's certificate is not itself asked about.
    no_check: bool = False
    # Whether the directory shows it to everybody who may look certificates up there, as long as it is good.
    published: bool = False
    exceptions: tuple[LintException, ...] = ()

    def __post_init__(self) -> None:
        for wrong, why in self._faults():
            if wrong:
                raise ValueError(why)

    def _faults(self) -> tuple[tuple[bool, str], ...]:
        machine = self.subject is SubjectKind.MACHINE
        known = PLACEHOLDERS[self.subject] | self._hosts()
        used = {found for text in self._templates() for found in _PLACEHOLDER.findall(text)}
        plain = "".join(_PLACEHOLDER.sub("", text) for text in self._templates())
        commits = Usage.CONTENT_COMMITMENT in self.usage
        logs_in = Extended.CLIENT_AUTH in self.extended
        stamps = Extended.TIME_STAMPING in self.extended
        answers = Extended.OCSP_SIGNING in self.extended
        return (
            (not _NAME.fullmatch(self.name), "name must be lower-case words joined by hyphens"),
            (not self.about or not self.about.isprintable(), "about must be one line"),
            (not _POLICY.fullmatch(self.policy), "policy must be site.N... or below 2.25"),
            (not _subset(self.issuers, ISSUERS), f"issuers must be some of {', '.join(ISSUERS)}"),
            (not _subset(self.keys, KEYS), f"keys must be some of {', '.join(KEYS)}"),
            (not 1 <= self.validity_days <= _MOST_DAYS, f"validity_days must be 1 to {_MOST_DAYS}"),
            (not self.usage or len(set(self.usage)) < len(self.usage), "usage is empty or says something twice"),
            (not self.extended or len(set(self.extended)) < len(self.extended), "extended is empty or repeats"),
            (Usage.DIGITAL_SIGNATURE not in self.usage, "every key of ours signs"),
            (commits and logs_in, "a key that logs in never commits its holder to content"),
            (
                stamps and (len(self.extended) > 1 or not self.extended_critical),
                "RFC 3161 section 2.3: alone, critical",
            ),
            (answers and len(self.extended) > 1, "an OCSP delegate does nothing else"),
            (machine and self.published, "the directory knows no machines of the site"),
            (self.no_check and not answers, "only an OCSP delegate is not asked about"),
            (not self.requesters, "nobody may ask for it"),
            (machine and any(not _is_role(each) for each in self.requesters), "only roles ask for machines"),
            (not 0 <= self.approvals <= _MOST_APPROVALS, f"approvals must be 0 to {_MOST_APPROVALS}"),
            (_OFFICER in self.requesters and not self.approvals, "what an officer asks for, an officer approves"),
            (not 1 <= self.assurance <= _HIGHEST_ASSURANCE, f"assurance must be 1 to {_HIGHEST_ASSURANCE}"),
            (
                bool(self.self_service) and not self.assurance <= self.self_service <= _HIGHEST_ASSURANCE,
                f"self_service is 0, or assurance to {_HIGHEST_ASSURANCE}",
            ),
            (not self._says(NameType.COUNTRY) or not self._says(NameType.COMMON_NAME), "country and common name lack"),
            (len({each.attribute for each in self.names}) < len(self.names), "an attribute stands twice in the name"),
            (not used <= known, f"the directory cannot fill {{{', '.join(sorted(used))}}}"),
            ("{" in plain or "}" in plain, "a placeholder is lower-case words in braces"),
            (not all(each.code and each.about and each.reason for each in self.exceptions), "an exception says why"),
            (not machine and not self.alternatives, "without an alternative name nobody could find the subject"),
        )

    @property
    def validity(self) -> timedelta:
        """How long it is valid."""
        return timedelta(days=self.validity_days)

    def commits(self) -> bool:
        """Whether its holder is bound by what it signs."""
        return Usage.CONTENT_COMMITMENT in self.usage

    def _hosts(self) -> frozenset[str]:
        return frozenset({"host"}) if self.hosts is Hosts.REQUIRED else frozenset()

    def _templates(self) -> list[str]:
        return [each.value for each in self.names] + [each.value for each in self.alternatives]

    def _says(self, attribute: NameType) -> bool:
        return any(each.attribute is attribute and not each.optional for each in self.names)


def read_profile(text: str, *, name: str) -> Profile:
    """One profile from its file.

    Raises:
        ConfigurationError: no TOML, unknown keys, or what cannot be.
    """
    where = f"profile {name}"
    try:
        found = decode(Profile, tomllib.loads(text), where=where, folder=FOLDER)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(where=where, why=str(error)) from error
    if found.name != name:
        raise ConfigurationError(where=f"{where}.name", why="must be the name of the file")
    return found


def read_profiles(texts: Mapping[str, str]) -> dict[str, Profile]:
    """All profiles of a site, by name, in the order of their policies.

    Raises:
        ConfigurationError: see ``read_profile``; or two have one policy, or an issuing authority would have none.
    """
    found = sorted((read_profile(text, name=name) for name, text in texts.items()), key=_order)
    policies = [each.policy for each in found]
    for each in found:
        if policies.count(each.policy) > 1:
            raise ConfigurationError(where=f"profile {each.name}.policy", why="belongs to another profile too")
    for issuer in ISSUERS:
        if not any(issuer in each.issuers for each in found):
            raise ConfigurationError(where=f"issuer {issuer}", why="has no profile")
    return {each.name: each for each in found}


def _subset(some: tuple[str, ...], known: tuple[str, ...]) -> bool:
    return bool(some) and set(some) <= set(known) and len(set(some)) == len(some)


def _is_role(requester: str) -> bool:
    return requester.startswith("role:")


def _order(profile: Profile) -> tuple[str, list[int]]:
    arc, *numbers = profile.policy.removeprefix("2.25.").split(".")
    return arc, [int(each) for each in numbers]


PROFILES: Mapping[str, Profile] = read_profiles({each.stem: each.read_text("utf-8") for each in FOLDER.glob("*.toml")})


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UnknownProfile: there is none.
    """
    found = PROFILES.get(name)
    if found is None:
        raise UnknownProfile
    return found


def fill(template: str, attributes: Mapping[str, str]) -> str:
    """The template with every placeholder replaced; empty if one of them is."""
    used = _PLACEHOLDER.findall(template)
    if not all(attributes.get(each) for each in used):
        return ""
    return _PLACEHOLDER.sub(lambda match: attributes[match.group(1)], template)
