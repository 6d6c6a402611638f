# SPDX-License-Identifier: Apache-2.0
"""Who may see and change what in the tree, as a table; what no line allows is refused.

| identity     | needs                                                                               |
| ------------ | ----------------------------------------------------------------------------------- |
| anonymous    | to prove a password (``auth``), and nothing else                                    |
| sso          | user names, who somebody is, their roles and mandates; never their password         |
| gateway      | roles, clearance, whether enabled, the name for the record's sealed part; devices   |
| ca           | who somebody is with the proofing behind it, organisations, devices                 |
| signatures   | who somebody is, by identifier alone; organisations and mandates                    |
| directory    | the one writer: everything but reading passwords                                    |
| audit        | nothing; it has no identity here                                                    |

A person who binds as themselves sees nothing. The level ``write`` of slapd includes reading, so passwords are opened to
the writer with the bare privilege ``=w``. The readers ask for one entry at a time, so no search answers them more than
``MOST_FOR_READERS``: whoever steals a reader's secret cannot walk off with the register in one question.
"""

from dataclasses import dataclass

from ..ldap.names import Tree

READERS = ("sso", "gateway", "ca", "signatures")
SERVICES = (*READERS, "directory")
DECOY = "decoy"
"""An entry whose password nobody knows: binding to it costs what a real bind costs."""

MOST_FOR_READERS = 100
"""Entries in one answer; the longest list a reader asks for is one person's mandates."""

READ, WRITE = "read", "write"
_IDENTITY = (
    "entry,objectClass,tallySubject,cn,tallyNameZh,tallyOrganisation,tallyEnabled,tallyClearance,tallyProofingLevel,"
    "memberOf"
)


@dataclass(frozen=True)
class Rule:
    """One line: what, and for each identity the level or privilege."""

    what: str
    who: dict[str, str]

    def text(self, tree: Tree) -> str:
        """As slapd.access(5) wants it."""
        parts = [f"by {_who(name, tree)} {level}" for name, level in self.who.items()]
        return f"to {self.what} {' '.join(parts)} by * none"


def rules(tree: Tree) -> tuple[Rule, ...]:
    """All lines in order; slapd takes the first that fits."""
    people, services = f'dn.subtree="{tree.branch("people")}"', f'dn.subtree="{tree.branch("services")}"'
    everyone = dict.fromkeys(READERS, READ)
    writer = {"directory": WRITE}
    return (
        # A disabled person's password opens nothing, whoever asks.
        Rule(f"{people} filter=(tallyEnabled=TRUE) attrs=userPassword", {"anonymous": "auth", "directory": "=w"}),
        Rule(f"{people} attrs=userPassword", {"directory": "=w"}),
        Rule(f"{services} attrs=userPassword", {"anonymous": "auth"}),
        Rule(services, {}),
        Rule(f"{people} attrs=tallyProofingDate,tallyProofingEvidence", {**writer, "ca": READ}),
        Rule(f"{people} attrs=uid", {**writer, "sso": READ, "ca": READ}),
        Rule(f"{people} attrs=mail", {**writer, "sso": READ, "ca": READ}),
        Rule(f"{people} attrs={_IDENTITY}", {**writer, **everyone}),
        Rule(f"{people} attrs=children,sn,tallyNumber", writer),
        # By this the writer tells whether a password was changed before a crash, since it cannot read passwords.
        Rule(f"{people} attrs=entryCSN", {"directory": READ}),
        Rule(f'dn.subtree="{tree.branch("organisations")}"', {**writer, "ca": READ, "signatures": READ}),
        Rule(f'dn.subtree="{tree.branch("devices")}"', {**writer, "gateway": READ, "ca": READ}),
        Rule(f'dn.subtree="{tree.branch("mandates")}"', {**writer, "sso": READ, "ca": READ, "signatures": READ}),
        Rule(f'dn.subtree="{tree.branch("roles")}"', writer),
        Rule(f'dn.subtree="{tree.branch("portals")}"', writer),
        Rule("*", {}),
    )


def _who(name: str, tree: Tree) -> str:
    return name if name == "anonymous" else f'dn.exact="{tree.service(name)}"'


def changes_rules(tree: Tree, base: str) -> tuple[str, ...]:
    """Of what was changed the writer alone reads, and no password: values are hidden, not only attributes."""
    writer, texts = _who("directory", tree), ("reqMod", "reqOld")
    values = 'val.regex="^(userPassword|pwdHistory)[:;]"'
    hidden = [f'to dn.subtree="{base}" attrs={name} {values} by * none' for name in texts]
    # Read, but not searched: a filter with a part of a value is not held against the lines above, and would tell it.
    shown = f'to dn.subtree="{base}" attrs={",".join(texts)} by {writer} =rd by * none'
    return (*hidden, shown, f"to * by {writer} read by * none")


def limits(tree: Tree) -> tuple[str, ...]:
    """How much one search gives to each reader, as slapd.conf(5) wants it."""
    return tuple(f'dn.exact="{tree.service(name)}" size={MOST_FOR_READERS}' for name in READERS)
