# SPDX-License-Identifier: Apache-2.0
"""The tree as it is born: its branches, the services that may bind, the roles, the portals, the password rules."""

from collections.abc import Mapping

from core.site import PORTALS

from ..config import DirectorySettings
from ..ldap.names import Tree
from ..models import ROLES

BRANCHES = ("people", "organisations", "devices", "mandates", "roles", "portals", "services", "policies")


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
        f"dn: cn=default,{tree.branch('policies')}\nobjectClass: pwdPolicy\nobjectClass: device\ncn: default\n"
        # 1: hashes that we made are taken as they are; what comes in clear is checked.
        "pwdAttribute: userPassword\npwdCheckQuality: 1\n"
        f"pwdMinLength: {settings.password_length}\npwdInHistory: {settings.password_history}\n"
        "pwdLockout: FALSE\npwdMaxFailure: 0\npwdMaxRecordedFailure: 0\npwdAllowUserChange: FALSE\n"
    )
    return "\n".join(entries)
