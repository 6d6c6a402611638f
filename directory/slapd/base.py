# SPDX-License-Identifier: Apache-2.0
"""The tree as it is born: its branches, the services that may bind, the roles, the portals, the password rules."""

from collections.abc import Mapping

from core.site import PORTALS

from ..config import DirectorySettings
from ..ldap.names import Tree
from ..models import ROLES
from .access import DECOY, MODEL

BRANCHES = (
    "people",
    "organisations",
    "devices",
    "mandates",
    "roles",
    "portals",
    "services",
    "policies",
    "authorities",
    *MODEL,
)


def ldif(settings: DirectorySettings, services: Mapping[str, str]) -> str:
    """Every first entry; ``services`` are the hashes of those who may bind."""
    tree = Tree(settings.suffix)
    first = settings.suffix.partition(",")[0].removeprefix("dc=")
    entries = [f"dn: {tree.suffix}\nobjectClass: organization\nobjectClass: dcObject\no: {first}\ndc: {first}\n"]
    entries += [f"dn: {tree.branch(name)}\nobjectClass: organizationalUnit\nou: {name}\n" for name in BRANCHES]
    entries += [
        f"dn: {tree.service(name)}\nobjectClass: tallyService\ncn: {name}\nuserPassword: {value}\n"
        for name, value in services.items()
    ]
    entries += [f"dn: {tree.role(name)}\nobjectClass: tallyRole\ncn: {name}\n" for name in ROLES]
    entries += [f"dn: {tree.portal(name)}\nobjectClass: tallyPortal\ncn: {name}\n" for name in PORTALS]
    entries.append(
        f"dn: {_policy(tree)}\nobjectClass: pwdPolicy\nobjectClass: device\ncn: default\n"
        "pwdAttribute: userPassword\n" + "".join(f"{name}: {value}\n" for name, value in _password_rules(settings))
    )
    return "\n".join(entries)


def rules(settings: DirectorySettings) -> str:
    """The password rules as a change of a tree that is there already."""
    lines = [f"replace: {name}\n{name}: {value}\n-\n" for name, value in _password_rules(settings)]
    return f"dn: {_policy(Tree(settings.suffix))}\nchangetype: modify\n{''.join(lines)}"


def decoy(settings: DirectorySettings, value: str) -> str:
    """A new hash for the entry that nobody binds to, so that it goes on costing what everybody's costs."""
    dn = Tree(settings.suffix).service(DECOY)
    return f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {value}\n"


def _policy(tree: Tree) -> str:
    return f"cn=default,{tree.branch('policies')}"


def _password_rules(settings: DirectorySettings) -> tuple[tuple[str, str], ...]:
    return (
        # 1: hashes that we made are taken as they are; what comes in clear is checked.
        ("pwdCheckQuality", "1"),
        ("pwdMinLength", str(settings.password_length)),
        ("pwdInHistory", str(settings.password_history)),
        ("pwdLockout", "FALSE"),
        ("pwdMaxFailure", "0"),
        ("pwdMaxRecordedFailure", "0"),
        ("pwdAllowUserChange", "FALSE"),
    )
