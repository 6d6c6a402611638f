# SPDX-License-Identifier: Apache-2.0
"""One TOML file per site, read strictly: an unknown key, a wrong type or a missing value stops the start.

Each component declares one frozen settings dataclass whose field comments are the manual. A field may be a
``str``, ``int``, ``float``, ``bool``, ``Path``, ``timedelta`` (written in seconds), an enum, another settings
dataclass, ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]`` of these. Secrets are never in the file: a field names
the file that holds one, and ``secret`` reads it.
"""

import dataclasses
import stat
import tomllib
import types
import typing
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from .errors import N_, Internal

S = TypeVar("S")


class ConfigurationError(Internal):
    """The configuration cannot be used; ``where`` is the dotted key, ``why`` the reason in words."""

    code = "configuration"
    message = N_("Configuration: %(where)s: %(why)s")


class Document:
    """A parsed configuration file of which every section must be claimed by somebody."""

    def __init__(self, tables: Mapping[str, Any], *, folder: Path) -> None:
        self._tables = tables
        self._folder = folder
        self._claimed: set[str] = set()

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Parse the file; relative paths inside are meant from its folder.

        Raises:
            ConfigurationError: unreadable or not TOML.
        """
        try:
            return cls(tomllib.loads(path.read_text("utf-8")), folder=path.resolve().parent)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(where=str(path), why=str(error)) from error

    @property
    def tables(self) -> Mapping[str, Any]:
        """Everything as it was parsed: for whoever compares files, and works by none of it."""
        return self._tables

    def section(self, name: str, settings: type[S]) -> S:
        """Decode one table into its settings class; a missing table means all defaults."""
        self._claimed.add(name)
        return decode(settings, self._tables.get(name, {}), where=name, folder=self._folder)

    def finish(self) -> None:
        """Refuse sections nobody claimed.

        Raises:
            ConfigurationError: names the first stranger.
        """
        for name in self._tables:
            if name not in self._claimed:
                raise ConfigurationError(where=name, why="nobody knows this section")


def decode(settings: type[S], table: Any, *, where: str, folder: Path) -> S:
    """Turn one TOML table into a settings dataclass.

    Raises:
        ConfigurationError: with the dotted key and the reason.
    """
    if not isinstance(table, Mapping):
        raise ConfigurationError(where=where, why="must be a table")
    hints = typing.get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(typing.cast("Any", settings)) if field.init}
    for key in table:
        if key not in fields:
            raise ConfigurationError(where=f"{where}.{key}", why="unknown key")
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], where=f"{where}.{name}", folder=folder)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigurationError(where=f"{where}.{name}", why="is missing")
    try:
        return settings(**values)
    except ValueError as error:
        raise ConfigurationError(where=where, why=str(error)) from error


def secret(path: Path, *, length: int = 32) -> bytes:
    """Read a secret of exactly ``length`` bytes from a file that nobody but its owner can read.

    Raises:
        ConfigurationError: missing, readable by others, or of another length.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(where=str(path), why=error.strerror or "unreadable") from error
    if mode & (stat.S_IRWXO | stat.S_IRWXG):
        raise ConfigurationError(where=str(path), why="a secret must not be readable by group or others")
    if len(content) != length:
        raise ConfigurationError(where=str(path), why=f"a secret here has exactly {length} bytes")
    return content


def _value(hint: Any, value: Any, *, where: str, folder: Path) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        return _value(inner[0], value, where=where, folder=folder)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigurationError(where=where, why="must be a list")
        item = typing.get_args(hint)[0]
        return tuple(_value(item, v, where=f"{where}[{i}]", folder=folder) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigurationError(where=where, why="must be a table")
        item = typing.get_args(hint)[1]
        return {k: _value(item, v, where=f"{where}.{k}", folder=folder) for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast("type[Any]", hint), value, where=where, folder=folder)
    return _scalar(hint, value, where=where, folder=folder)


def _scalar(hint: Any, value: Any, *, where: str, folder: Path) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError as error:
            known = ", ".join(str(member.value) for member in hint)
            raise ConfigurationError(where=where, why=f"must be one of {known}") from error
    if hint is Path and isinstance(value, str):
        return folder / value
    if hint is timedelta and isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python; a port of "true" is still a mistake.
    if type(value) is hint:
        return value
    expected = "a path" if hint is Path else "seconds" if hint is timedelta else hint.__name__
    raise ConfigurationError(where=where, why=f"must be {expected}")
