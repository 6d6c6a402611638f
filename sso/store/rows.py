# SPDX-License-Identifier: Apache-2.0
"""Rows to models and back; sets lie as sorted words."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from ..models import Client, Code, Consent, Grant, Session

_SETS = frozenset({"scopes", "grants"})
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
    """A login's row."""
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


def _values(row: Row[Any]) -> dict[str, Any]:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    for name in values.keys() & _SETS:
        values[name] = frozenset(values[name].split())
    for name in values.keys() & _TUPLES:
        values[name] = tuple(values[name].split())
    return values


def _flat(value: Any) -> Any:
    return " ".join(sorted(value) if isinstance(value, frozenset) else value) if _many(value) else value


def _many(value: Any) -> bool:
    return isinstance(value, frozenset | tuple | list)
