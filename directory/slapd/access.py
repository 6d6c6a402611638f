# SPDX-License-Identifier: Apache-2.0
"""Who may see and change what in the tree, as a table; what no line allows is refused.

| identity     | needs                                                                               |
| ------------ | ----------------------------------------------------------------------------------- |
| anonymous    | to prove a password (``auth``), and nothing else                                    |
| sso          | user names, who somebody is, roles, mandates, organisations' names, proofing days   |
| gateway      | roles, clearance, whether enabled, proofing days, the name for the record; devices  |
|              | with their state; mandates of organisations, not those of people                    |
| ca           | who somebody is with the proofing behind it, organisations, devices                 |
| signatures   | who somebody is, by identifier alone; organisations and mandates                    |
| directory    | the one writer: everything but reading passwords; alone sees posts, grants, numbers |
| lookup       | outside software: what is published of certificates, and whose; nothing else        |
| audit        | nothing; it has no identity here                                                    |
| a device     | portals and operating systems: what its rights say, of the organisations they say   |

A person who binds as themselves sees nothing. The level ``write`` of slapd includes reading, so passwords are opened to
the writer with the bare privilege ``=w``. The readers ask for one entry at a time, so no search answers them more than
``MOST_FOR_READERS``: whoever steals a reader's secret cannot walk off with the register in one question. ``lookup`` is
an identity whose secret a site gives to mail programs and to software that verifies: an entry without a published
certificate does not exist for it, and one search answers it no more than ``MOST_FOR_LOOKUPS``.

A device binds with its certificate (SASL EXTERNAL) and has rights as values ``right:scope``, where the scope is an
organisation or everything. The rights are looked at for every attribute of every answer, so that a device that is
disabled, or one whose certificate was withdrawn, sees nothing any more on a connection that is open already.
"""

from dataclasses import dataclass
from enum import StrEnum

from ..ldap.names import Tree

READERS = ("sso", "gateway", "ca", "signatures")
SERVICES = (*READERS, "directory")
LOOKUP = "lookup"
"""As whom outside software looks for published certificates and revocation lists."""

DECOY = "decoy"
"""An entry whose password nobody knows: binding to it costs what a real bind costs."""

MOST_FOR_READERS = 100
"""Entries in one answer; the longest list a reader asks for is one person's mandates."""

EVERYTHING = "all"
"""The scope of a right over every organisation."""

MOST_FOR_LOOKUPS = 10
"""Entries in one answer to outside software; whoever has a name or an address in hand finds one."""

LONGEST_FOR_DEVICES = 5
"""Seconds one search of a device may take."""

READ, WRITE = "read", "write"
_PUBLISHED = "(userCertificate=*)"
_IDENTITY = "entry,objectClass,tallySubject,cn,tallyNameZh,tallyOrganisation,tallyEnabled"
_STANDING = "tallyClearance,tallyProofingLevel"
_ROLES = "memberOf,tallyRolesUntil"
_DEVICE = "entry,objectClass,cn,tallyId,tallyOrganisation,tallyEnabled"
KEYED = "tallyNumberIndex,tallyNumberSealed"
MODEL = ("departments", "posts", "holdings", "grants", "representatives", "offers")
"""Branches from which access follows; only the writer, which works it out, sees them."""


class Right(StrEnum):
    """What a device that speaks LDAP may be let read."""

    # Who there is: names, organisation, whether enabled, published certificates.
    PEOPLE = "people"
    # The names by which people log in, for operating systems.
    USERNAMES = "usernames"
    ADDRESSES = "addresses"
    ROLES = "roles"
    ORGANISATIONS = "organisations"
    DEVICES = "devices"


OF_PEOPLE = frozenset({Right.USERNAMES, Right.ADDRESSES, Right.ROLES})
"""Rights that show nothing to whom people's entries do not exist."""


@dataclass(frozen=True)
class Rule:
    """One line: what, and for each identity the level or privilege."""

    what: str
    who: dict[str, str]
    # What a device must have to read it, and the attribute that names the organisation it belongs to.
    right: Right | None = None
    of: str = "tallyOrganisation"

    def text(self, tree: Tree) -> str:
        """As slapd.access(5) wants it."""
        parts = [f"by {_who(name, tree)} {level}" for name, level in self.who.items()]
        if self.right:
            parts += _by_right(tree, self.right, self.of)
        return f"to {self.what} {' '.join(parts)} by * none"


def rules(tree: Tree) -> tuple[Rule, ...]:
    """All lines in order; slapd takes the first that fits."""
    people, services = f'dn.subtree="{tree.branch("people")}"', f'dn.subtree="{tree.branch("services")}"'
    organisations = f'dn.subtree="{tree.branch("organisations")}"'
    devices = f'dn.subtree="{tree.branch("devices")}"'
    everyone = dict.fromkeys(READERS, READ)
    writer = {"directory": WRITE}
    begin = {LOOKUP: "search", "device": "search"}
    return (
        # Where outside software may begin to search; it reads nothing of these.
        Rule(f'dn.base="{tree.suffix}" attrs=entry', {LOOKUP: "search", "directory": READ}),
        # How far each provider has come.
        Rule(f'dn.base="{tree.suffix}" attrs=objectClass,contextCSN', {"directory": READ}),
        Rule(f'dn.base="{tree.branch("people")}" attrs=entry', {**writer, **everyone, **begin}),
        Rule(
            f'dn.base="{tree.branch("organisations")}" attrs=entry',
            {**writer, "sso": READ, "ca": READ, "signatures": READ, **begin},
        ),
        Rule(f'dn.base="{tree.branch("devices")}" attrs=entry', {**writer, "gateway": READ, "ca": READ, **begin}),
        # A disabled person's password opens nothing, whoever asks.
        Rule(f"{people} filter=(tallyEnabled=TRUE) attrs=userPassword", {"anonymous": "auth", "directory": "=w"}),
        Rule(f"{people} attrs=userPassword", {"directory": "=w"}),
        Rule(f"{services} attrs=userPassword", {"anonymous": "auth"}),
        Rule(services, {}),
        # Who decides by the level must see when it was given: a level whose day has passed counts no more.
        Rule(f"{people} attrs=tallyProofingDate", {**writer, "ca": READ, "sso": READ, "gateway": READ}),
        Rule(f"{people} attrs=tallyProofingEvidence", {**writer, "ca": READ}),
        # Keepers of a seal are named by user name; the signature role finds them by it, and reads none.
        Rule(f"{people} attrs=uid", {**writer, "sso": READ, "ca": READ, "signatures": "search"}, Right.USERNAMES),
        # Whoever has somebody's address in hand finds their certificate by it, but does not read addresses.
        Rule(
            f"{people} filter={_PUBLISHED} attrs=mail",
            {**writer, "sso": READ, "ca": READ, LOOKUP: "search"},
            Right.ADDRESSES,
        ),
        Rule(f"{people} attrs=mail", {**writer, "sso": READ, "ca": READ}, Right.ADDRESSES),
        Rule(f"{people} attrs={KEYED}", writer),
        Rule(f"{people} attrs=telephoneNumber,preferredLanguage", writer),
        Rule(f"{people} attrs=userCertificate", {**writer, "ca": READ, LOOKUP: READ}, Right.PEOPLE),
        Rule(
            f"{people} filter={_PUBLISHED} attrs=entry,objectClass,cn,tallySubject,tallyNameZh,tallyOrganisation",
            {**writer, **everyone, LOOKUP: READ},
            Right.PEOPLE,
        ),
        Rule(f"{people} attrs=children,sn,tallyNumber,tallyReleased", writer),
        Rule(f"{people} attrs={_STANDING}", {**writer, **everyone}),
        Rule(f"{people} attrs={_ROLES}", {**writer, **everyone}, Right.ROLES),
        Rule(f"{people} attrs={_IDENTITY}", {**writer, **everyone}, Right.PEOPLE),
        # By this the writer tells whether a password was changed before a crash, since it cannot read passwords.
        Rule(f"{people} attrs=entryCSN", {"directory": READ}),
        Rule(f"{organisations} attrs={KEYED}", writer),
        # Who answers for a device, and why somebody may act, is nobody's business but the writer's.
        Rule(f"{devices} attrs=tallyHolder,tallyUntil", writer),
        # Rows of the zone matrix may ask for devices in a certain state.
        Rule(f"{devices} attrs=tallyState", {**writer, "gateway": READ}),
        # By these slapd decides whose certificate opens something (``olcAuthzRegexp``), before anybody is anybody.
        Rule(f"{devices} attrs=tallyRight,tallyBarred", {**writer, "anonymous": "auth"}),
        Rule(f'dn.subtree="{tree.branch("mandates")}" attrs=tallyGrantedBy,tallyReason', writer),
        # Whether somebody still acts for a company; for whom people act, the gateway hears from the sign-on alone.
        Rule(f'dn.base="{tree.branch("mandates")}" attrs=entry', {**writer, **everyone}),
        Rule(f'dn.subtree="{tree.branch("mandates")}" filter=(tallyOrganisation=*)', {**writer, **everyone}),
        Rule(
            f"{organisations} filter={_PUBLISHED} attrs=entry,objectClass,o,tallyId,tallyNameZh,userCertificate",
            {**writer, "sso": READ, "ca": READ, "signatures": READ, LOOKUP: READ},
            Right.ORGANISATIONS,
            of="tallyId",
        ),
        # Whoever acts for an organisation is told its name.
        Rule(
            f"{organisations} attrs=entry,objectClass,o,tallyId,tallyNameZh",
            {**writer, "sso": READ, "ca": READ, "signatures": READ},
            Right.ORGANISATIONS,
            of="tallyId",
        ),
        Rule(organisations, {**writer, "ca": READ, "signatures": READ}),
        Rule(
            f"{devices} filter={_PUBLISHED} attrs=entry,objectClass,cn,tallyId,userCertificate",
            {**writer, "gateway": READ, "ca": READ, LOOKUP: READ, "anonymous": "auth"},
            Right.DEVICES,
        ),
        Rule(f"{devices} attrs={_DEVICE}", {**writer, "gateway": READ, "ca": READ, "anonymous": "auth"}, Right.DEVICES),
        Rule(devices, {**writer, "gateway": READ, "ca": READ}),
        Rule(f'dn.subtree="{tree.branch("authorities")}"', {**writer, **everyone, LOOKUP: READ}),
        Rule(f'dn.subtree="{tree.branch("mandates")}"', {**writer, "sso": READ, "ca": READ, "signatures": READ}),
        Rule(f'dn.subtree="{tree.branch("roles")}"', writer),
        Rule(f'dn.subtree="{tree.branch("portals")}"', writer),
        *(Rule(f'dn.subtree="{tree.branch(name)}"', writer) for name in MODEL),
        # A tree that was born before these branches gets them from the writer.
        Rule(f'dn.base="{tree.suffix}" attrs=children', writer),
        # And takes out again what somebody put beside them; the password rules are nobody's.
        Rule(f'dn.subtree="{tree.branch("policies")}"', {}),
        Rule(f'dn.onelevel="{tree.suffix}"', writer),
        Rule("*", {}),
    )


def _who(name: str, tree: Tree) -> str:
    if name == "device":
        return _any_device(tree)
    return name if name == "anonymous" else f'dn.exact="{tree.service(name)}"'


def _any_device(tree: Tree) -> str:
    return f'dn.onelevel="{tree.branch("devices")}"'


def _by_right(tree: Tree, right: Right, of: str) -> tuple[str, str]:
    """First whom nothing is shown whatever their rights are, then whose rights reach this entry."""
    device = _any_device(tree)
    shut = "user/tallyBarred | (user/tallyEnabled & [FALSE])"
    reaches = f"user/tallyRight & ([{right}:{EVERYTHING}] | ([{right}:] + this/{of}))"
    return f'by {device} set="{shut}" none', f'by {device} set="{reaches}" read'


def certified(tree: Tree) -> str:
    """Whose certificate makes somebody which device, as ``olcAuthzRegexp`` wants it.

    The subject of a device's certificate is written by the authority alone, in this order. A name with a comma of its
    own is not taken, so that no part of a name is taken for another. Who is mapped to nothing sees nothing.
    """
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    subject = f"^cn=[^,+=\\\\]*,serialNumber=({uuid})(,o=[^,+=]*)?,c=[a-z]{{2}}$"
    where = "(&(tallyEnabled=TRUE)(tallyRight=*)(!(tallyBarred=*)))"
    return f'"{subject}" "ldap:///tallyId=$1,{tree.branch("devices")}??base?{where}"'


def changes_rules(tree: Tree, base: str) -> tuple[str, ...]:
    """Of what was changed the writer alone reads, and no password: values are hidden, not only attributes."""
    writer, texts = _who("directory", tree), ("reqMod", "reqOld")
    values = 'val.regex="^(userPassword|pwdHistory)[:;]"'
    hidden = [f'to dn.subtree="{base}" attrs={name} {values} by * none' for name in texts]
    # Read, but not searched: a filter with a part of a value is not held against the lines above, and would tell it.
    shown = f'to dn.subtree="{base}" attrs={",".join(texts)} by {writer} =rd by * none'
    return (*hidden, shown, f"to * by {writer} read by * none")


def limits(tree: Tree, *, longest: int) -> tuple[str, ...]:
    """How much one search gives to each reader, and to the writer ``longest``, as slapd.conf(5) wants it."""
    most = dict.fromkeys(READERS, MOST_FOR_READERS) | {LOOKUP: MOST_FOR_LOOKUPS}
    named = [f'dn.exact="{tree.service(name)}" size={number}' for name, number in most.items()]
    # The writer walks through a branch page by page; one page is as long as any answer.
    walks = f'dn.exact="{tree.service("directory")}" size={longest} size.prtotal=unlimited'
    return (*named, walks, f"{_any_device(tree)} size={MOST_FOR_READERS} time={LONGEST_FOR_DEVICES}")
