# SPDX-License-Identifier: Apache-2.0
"""What a portal learns about a person: exactly the claims of the scopes the person agreed to."""

from collections.abc import Iterable
from typing import Any, Protocol

from ..rfc6749.scopes import SCOPES

USERINFO_TYP = "userinfo+jwt"
"""So that it never passes for an ID token."""


class Holder(Protocol):
    """The attributes of a directory person that can become claims."""

    @property
    def subject(self) -> str:
        """Pseudonymous identifier, the same at every service."""
        ...

    @property
    def username(self) -> str:
        """What the person logs in with."""
        ...

    @property
    def name(self) -> str:
        """In Latin letters."""
        ...

    @property
    def name_zh(self) -> str:
        """In Chinese; empty if there is none."""
        ...

    @property
    def mail(self) -> str:
        """E-mail address; empty if there is none."""
        ...

    @property
    def organisation(self) -> str:
        """Identifier of the organisation the person works for; empty for citizens."""
        ...

    @property
    def roles(self) -> frozenset[str]:
        """Directory roles."""
        ...


def claims_of(person: Holder, scopes: Iterable[str], names: Iterable[str] = ()) -> dict[str, Any]:
    """The claims of some scopes and some single ones, without empty ones (OpenID Connect Core 5.3.2)."""
    everything: dict[str, Any] = {
        "sub": person.subject,
        "name": person.name,
        "name_zh": person.name_zh,
        "preferred_username": person.username,
        "email": person.mail,
        "organisation": person.organisation,
        "roles": sorted(person.roles),
    }
    wanted = {claim for scope in scopes for claim in SCOPES.get(scope, ())} | set(names)
    return {name: value for name, value in everything.items() if name in wanted and value}
