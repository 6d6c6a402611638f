# SPDX-License-Identifier: Apache-2.0
"""The scopes offered here, each with the claims it opens."""

from collections.abc import Iterable

# OpenID Connect Core 5.4; "organisation" and "roles" are ours.
SCOPES: dict[str, tuple[str, ...]] = {
    "openid": ("sub",),
    "profile": ("name", "name_zh", "preferred_username"),
    "email": ("email",),
    "organisation": ("organisation",),
    "roles": ("roles",),
    # For whom the person acts, chosen each time; says nothing of whoever acts for themselves.
    "mandate": ("on_behalf_of",),
    # For programs alone, in their own name: keeping entries at the directory's SCIM service.
    "scim": (),
    # The same, for documents that are verified, sealed and archived.
    "documents": (),
}


def scope_text(scopes: Iterable[str]) -> str:
    """Scopes in the order of the table, foreign ones after them, as one string (RFC 6749 section 3.3)."""
    wanted = set(scopes)
    return " ".join([*(s for s in SCOPES if s in wanted), *sorted(wanted - SCOPES.keys())])
