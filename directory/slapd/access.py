# SPDX-License-Identifier: Apache-2.0
"""Who may see and change what in the tree, as a table; what no line allows is refused.

| identity     | needs                                                                               |
| ------------ | ----------------------------------------------------------------------------------- |
| anonymous    | to prove a password (``auth``), and nothing else                                    |
| sso          | who somebody is, their roles and mandates; never their password                     |
| gateway      | roles, clearance, whether enabled, the name for the record's sealed part            |
| ca           | who somebody is with the proofing behind it, organisations, devices                 |
| signatures   | names, organisations and mandates                                                   |
| directory    | the one writer: everything but reading passwords                                    |
| audit        | nothing; it has no identity here                                                    |

A person who binds as themselves sees nothing. The level ``write`` of slapd includes reading, so passwords are opened to
the writer with the bare privilege ``=w``.
"""

from dataclasses import dataclass

from ..ldap.names import Tree

SERVICES = ("sso", "gateway", "ca", "signatures", "directory")
DECOY = "decoy"
"""An entry whose password nobody knows: binding to it costs what a real bind costs."""

READ, WRITE = "read", "write"
_NAMES = "cn,sn,uid,tallyNameZh"
_STATE = "entry,objectClass,tallySubject,tallyNumber,tallyEnabled,tallyClearance,tallyProofingLevel,memberOf"


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
    everyone = dict.fromkeys(("sso", "gateway", "ca", "signatures"), READ)
    writer = {"directory": WRITE}
    return (
        # A disabled person's password opens nothing, whoever asks.
        Rule(f"{people} filter=(tallyEnabled=TRUE) attrs=userPassword", {"anonymous": "auth", "directory": "=w"}),
        Rule(f"{people} attrs=userPassword", {"directory": "=w"}),
        Rule(f"{services} attrs=userPassword", {"anonymous": "auth"}),
        Rule(services, {}),
        Rule(f"{people} attrs=tallyProofingDate,tallyProofingEvidence", {**writer, "ca": READ}),
        Rule(f"{people} attrs=mail", {**writer, "sso": READ, "ca": READ}),
        Rule(f"{people} attrs=tallyOrganisation", {**writer, **everyone}),
        Rule(f"{people} attrs={_NAMES}", {**writer, **everyone}),
        Rule(f"{people} attrs={_STATE}", {**writer, **everyone}),
        Rule(f"{people} attrs=children", writer),
        Rule(f'dn.subtree="{tree.branch("organisations")}"', {**writer, **everyone}),
        Rule(f'dn.subtree="{tree.branch("devices")}"', {**writer, "gateway": READ, "ca": READ}),
        Rule(f'dn.subtree="{tree.branch("mandates")}"', {**writer, "sso": READ, "ca": READ, "signatures": READ}),
        Rule(f'dn.subtree="{tree.branch("roles")}"', writer),
        Rule(f'dn.subtree="{tree.branch("portals")}"', {**writer, "sso": READ, "gateway": READ}),
        Rule("*", {}),
    )


def _who(name: str, tree: Tree) -> str:
    return name if name == "anonymous" else f'dn.exact="{tree.service(name)}"'
