# SPDX-License-Identifier: Apache-2.0
"""Rows to models and back; sets travel as sorted words, nested models as JSON."""

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from ..models import Authentication, AuthorizationRequest, Client, Code, Consent, Grant, Interaction, Session

_SETS = frozenset({"scopes", "prompts", "grants"})
_TUPLES = frozenset({"methods", "redirect_uris", "post_logout_uris"})


def client_of(row: Row[Any]) -> Client:
    """A registered application."""
    return Client(**_values(row))


def client_values(client: Client) -> dict[str, Any]:
    """A registration's row."""
    return {name: _flat(value) for name, value in asdict(client).items()}


def session_of(row: Row[Any]) -> Session:
    """A login."""
    values = _values(row)
    return Session(**{name: values[name] for name in Session.__dataclass_fields__})


def session_values(session: Session) -> dict[str, Any]:
    """A login's row, without the digest of its cookie."""
    return {name: _flat(value) for name, value in asdict(session).items()}


def grant_of(row: Row[Any]) -> Grant:
    """A family."""
    values = _values(row)
    return Grant(**{name: values[name] for name in Grant.__dataclass_fields__})


def grant_values(grant: Grant) -> dict[str, Any]:
    """A family's row."""
    return {name: _flat(value) for name, value in asdict(grant).items()}


def code_of(row: Row[Any]) -> Code:
    """A code's row; the caller has its digest."""
    return Code(
        digest=row.digest,
        grant_id=row.grant_id,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        challenge=row.challenge,
        expires_at=row.expires_at,
        used=row.used_at is not None,
    )


def consent_of(row: Row[Any]) -> Consent:
    """A remembered yes."""
    return Consent(**_values(row))


def interaction_of(row: Row[Any]) -> Interaction:
    """A parked request."""
    return Interaction(
        id=row.id,
        request=request_of(row.request) if row.request else None,
        logged_in=bool(row.logged_in),
        agreed=bool(row.agreed),
        expires_at=row.expires_at,
    )


def request_text(request: AuthorizationRequest | None) -> str:
    """A validated request as JSON."""
    if request is None:
        return ""
    return json.dumps({name: _listed(value) for name, value in asdict(request).items()})


def request_of(text: str) -> AuthorizationRequest:
    """And back; only we write these, behind the checks."""
    values: dict[str, Any] = json.loads(text)
    for name in values.keys() & _SETS:
        values[name] = frozenset(values[name])
    return AuthorizationRequest(**values)


def authentication_text(authentication: Authentication) -> str:
    """A card login on its way back."""
    return json.dumps(asdict(authentication))


def authentication_of(text: str) -> Authentication | None:
    """And back; None while the card host has not seen a certificate."""
    if not text:
        return None
    values = json.loads(text)
    return Authentication(**{**values, "methods": tuple(values["methods"])})


def _values(row: Row[Any]) -> dict[str, Any]:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    for name in values.keys() & _SETS:
        values[name] = frozenset(values[name].split())
    for name in values.keys() & _TUPLES:
        values[name] = tuple(values[name].split())
    return values


def _flat(value: Any) -> Any:
    return " ".join(sorted(value) if isinstance(value, frozenset) else value) if _many(value) else value


def _listed(value: Any) -> Any:
    return sorted(value) if _many(value) else value


def _many(value: Any) -> bool:
    return isinstance(value, frozenset | tuple | list)
