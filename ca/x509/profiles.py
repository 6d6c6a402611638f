# SPDX-License-Identifier: Apache-2.0
"""The kinds of certificates, as reviewed data: a change here changes what this authority vouches for.

The policy identifier of a profile is ``<oid_base>.1.<number>``; a number is never used for another profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from ..errors import UnknownProfile

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning, RFC 9336."""

_EC = frozenset({"P-256", "P-384"})
_EC_RSA = _EC | {"RSA"}
_ANY = _EC_RSA | {"Ed25519"}
_OFFICER = frozenset({"ra-officer"})
_OPERATOR = frozenset({"role:app", "role:ca"})


class SubjectKind(StrEnum):
    """Where the subject's attributes come from."""

    CITIZEN = "citizen"
    CIVIL_SERVANT = "civil-servant"
    PERSON = "person"
    ORGANISATION = "organisation"
    DEVICE = "device"
    # The site's own machines: names from the request of an operator, not from the directory.
    MACHINE = "machine"


@dataclass(frozen=True, kw_only=True)
class LintException:
    """One finding that does not stop a profile: which, where, and why that is right."""

    code: str
    # The finding's text must contain this, so that the exception excuses nothing else.
    about: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What one kind of certificate holds and who may ask for it."""

    name: str
    number: int
    issuers: frozenset[str]
    subject: SubjectKind
    validity: timedelta
    keys: frozenset[str]
    extended: tuple[ObjectIdentifier, ...]
    # Directory roles of officers, or "role:NAME" of roles of the site, that may ask.
    requesters: frozenset[str]
    # Lowest assurance of a person who asks.
    assurance: int = 2
    commitment: bool = False
    extended_critical: bool = False
    # RFC 6960 section 4.2.2.2.1: a responder's certificate is not itself asked about.
    no_check: bool = False
    exceptions: tuple[LintException, ...] = ()


_URN = LintException(
    code="pkix.invalid_uri_syntax",
    about='"urn:uuid:',
    reason="pkilint's check knows only addresses with a host; a URN has none (RFC 8141) and RFC 5280 allows it",
)

_TAG = LintException(
    code="pkix.invalid_uri_syntax",
    about='"tag:',
    reason="pkilint's check knows only addresses with a host; a tag has none (RFC 4151) and RFC 5280 allows it",
)

_LOCALHOST = LintException(
    code="pkix.invalid_domain_name_syntax",
    about='"localhost"',
    reason="one label is no public domain name, but this one is reserved for the loopback (RFC 6761 section 6.3)",
)

_PEOPLE = frozenset({"people"})

PROFILES: Mapping[str, Profile] = {
    each.name: each
    for each in (
        Profile(
            name="citizen",
            number=1,
            issuers=_PEOPLE,
            subject=SubjectKind.PERSON,
            validity=timedelta(days=3 * 365),
            keys=_EC_RSA,
            extended=(ExtendedKeyUsageOID.CLIENT_AUTH,),
            requesters=_OFFICER | _OPERATOR | {"role:sso"},
            exceptions=(_URN,),
        ),
        Profile(
            name="citizen-signing",
            number=2,
            issuers=_PEOPLE,
            subject=SubjectKind.PERSON,
            validity=timedelta(days=3 * 365),
            keys=_ANY,
            extended=(DOCUMENT_SIGNING,),
            commitment=True,
            requesters=_OFFICER | _OPERATOR | {"role:sso"},
            exceptions=(_URN,),
        ),
        Profile(
            name="civil-servant",
            number=3,
            issuers=_PEOPLE,
            subject=SubjectKind.CIVIL_SERVANT,
            validity=timedelta(days=365),
            keys=_EC_RSA,
            extended=(ExtendedKeyUsageOID.CLIENT_AUTH,),
            requesters=_OFFICER | _OPERATOR,
            exceptions=(_URN,),
        ),
        Profile(
            name="organisation-seal",
            number=4,
            issuers=frozenset({"organisations"}),
            subject=SubjectKind.ORGANISATION,
            validity=timedelta(days=3 * 365),
            keys=_EC_RSA,
            extended=(DOCUMENT_SIGNING,),
            commitment=True,
            requesters=_OFFICER | _OPERATOR | {"role:signatures"},
            exceptions=(_TAG,),
        ),
        Profile(
            name="device-client",
            number=5,
            issuers=frozenset({"devices"}),
            subject=SubjectKind.DEVICE,
            validity=timedelta(days=365),
            keys=_ANY,
            extended=(ExtendedKeyUsageOID.CLIENT_AUTH,),
            requesters=_OFFICER | _OPERATOR,
            exceptions=(_URN,),
        ),
        Profile(
            name="server",
            number=6,
            issuers=frozenset({"infrastructure"}),
            subject=SubjectKind.MACHINE,
            # CA/Browser Forum Baseline Requirements 6.3.2: at most 200 days from 15 March 2026.
            validity=timedelta(days=199),
            keys=_EC_RSA,
            extended=(ExtendedKeyUsageOID.SERVER_AUTH,),
            requesters=_OPERATOR,
            exceptions=(_LOCALHOST,),
        ),
        Profile(
            name="ocsp",
            number=7,
            # A delegate must be issued directly by the authority it answers for (RFC 6960 section 4.2.2.2).
            issuers=frozenset({"people", "devices", "organisations", "infrastructure"}),
            subject=SubjectKind.MACHINE,
            validity=timedelta(days=90),
            keys=_EC,
            extended=(ExtendedKeyUsageOID.OCSP_SIGNING,),
            no_check=True,
            requesters=_OPERATOR,
        ),
        Profile(
            name="timestamp",
            number=8,
            issuers=frozenset({"infrastructure"}),
            subject=SubjectKind.MACHINE,
            validity=timedelta(days=3 * 365),
            keys=_EC_RSA,
            extended=(ExtendedKeyUsageOID.TIME_STAMPING,),
            # RFC 3161 section 2.3.
            extended_critical=True,
            requesters=_OPERATOR,
        ),
    )
}


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UnknownProfile: there is none.
    """
    found = PROFILES.get(name)
    if found is None:
        raise UnknownProfile
    return found
