# SPDX-License-Identifier: Apache-2.0
"""Rows to models and back; sets lie as sorted words."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from ..models import (
    Application,
    BackChannel,
    Client,
    Code,
    Consent,
    DeviceCode,
    Goodbye,
    Grant,
    Invitation,
    Pushed,
    RefreshToken,
    Session,
)

_SETS = frozenset({"scopes", "refused", "grants", "requires", "resources", "detail_types", "ceiling"})
_TUPLES = frozenset({"methods", "redirect_uris", "post_logout_uris", "request_uris"})


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


def grant_of(row: Row[Any], prefix: str = "") -> Grant:
    """A family."""
    values = _values(row, prefix)
    return Grant(**{name: values[name] for name in Grant.__dataclass_fields__})


def grant_values(grant: Grant) -> dict[str, Any]:
    """A family's row."""
    return {name: _flat(value) for name, value in asdict(grant).items()}


def code_of(row: Row[Any], prefix: str = "") -> Code:
    """A code's row; the caller has its digest."""
    values = _values(row, prefix)
    used = values.pop("used_at") is not None
    return Code(**values, used=used)


def code_values(code: Code) -> dict[str, Any]:
    """A new code's row."""
    return {name: value for name, value in asdict(code).items() if name != "used"}


def refresh_token_of(row: Row[Any], prefix: str = "") -> RefreshToken:
    """A refresh token's row."""
    return RefreshToken(**_values(row, prefix))


def refresh_token_values(token: RefreshToken) -> dict[str, Any]:
    """And back."""
    return asdict(token)


def pushed_of(row: Row[Any]) -> Pushed:
    """A request that was pushed."""
    return Pushed(**_values(row))


def pushed_values(pushed: Pushed) -> dict[str, Any]:
    """And back."""
    return asdict(pushed)


def device_of(row: Row[Any], prefix: str = "") -> DeviceCode:
    """A device that waits, or was decided on."""
    return DeviceCode(**_values(row, prefix))


def device_values(device: DeviceCode) -> dict[str, Any]:
    """And back."""
    return {name: _flat(value) for name, value in asdict(device).items()}


def invitation_of(row: Row[Any]) -> Invitation:
    """An initial access token's row."""
    return Invitation(**_values(row))


def invitation_values(invitation: Invitation) -> dict[str, Any]:
    """And back."""
    return {name: _flat(value) for name, value in asdict(invitation).items()}


def application_of(row: Row[Any]) -> Application:
    """A registration that is asked for."""
    return Application(**_values(row))


def application_values(application: Application) -> dict[str, Any]:
    """And back."""
    return asdict(application)


def goodbye_of(row: Row[Any]) -> Goodbye:
    """A client that is to be told."""
    return Goodbye(**_values(row))


def back_channel_of(row: Row[Any]) -> BackChannel:
    """How a client can be told."""
    return BackChannel(**_values(row))


def consent_of(row: Row[Any], prefix: str = "") -> Consent:
    """A remembered yes."""
    return Consent(**_values(row, prefix))


def _values(row: Row[Any], prefix: str = "") -> dict[str, Any]:
    named = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    values = {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}
    for name in values.keys() & _SETS:
        values[name] = frozenset(values[name].split())
    for name in values.keys() & _TUPLES:
        values[name] = tuple(values[name].split())
    return values


def _flat(value: Any) -> Any:
    return " ".join(sorted(value) if isinstance(value, frozenset) else value) if _many(value) else value


def _many(value: Any) -> bool:
    return isinstance(value, frozenset | tuple | list)
