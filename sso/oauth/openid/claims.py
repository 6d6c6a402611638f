# SPDX-License-Identifier: Apache-2.0
"""What a portal learns about a person: exactly the claims of the scopes the person agreed to."""

from collections.abc import Iterable
from typing import Any, Protocol

from ..rfc6749 import SCOPES


class Holder(Protocol):
    """The attributes of a directory person that can become claims."""

    @property
    def subject(self) -> str: ...  # noqa: D102 - named by the claim
    @property
    def username(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def name_zh(self) -> str: ...  # noqa: D102
    @property
    def mail(self) -> str: ...  # noqa: D102
    @property
    def organisation(self) -> str: ...  # noqa: D102
    @property
    def roles(self) -> frozenset[str]: ...  # noqa: D102


def claims_of(person: Holder, scopes: Iterable[str]) -> dict[str, Any]:
    """The claims, without empty ones (OpenID Connect Core 5.3.2)."""
    everything: dict[str, Any] = {
        "sub": person.subject,
        "name": person.name,
        "name_zh": person.name_zh,
        "preferred_username": person.username,
        "email": person.mail,
        "organisation": person.organisation,
        "roles": sorted(person.roles),
    }
    wanted = {claim for scope in scopes for claim in SCOPES.get(scope, ())}
    return {name: value for name, value in everything.items() if name in wanted and value}
