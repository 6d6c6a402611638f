# SPDX-License-Identifier: Apache-2.0
"""What thousands of tests begin with is made once in each process of tests.

- A component's migrations: what they made is copied into every other new SQLite file. A database that holds anything
  already, or lies on a server, is migrated as everywhere.
- The code of a page's template, and of the function that writes an address: every test that makes an application would
  compile all of them again, from the same text.
- The SQL of a statement: every test that opens a database would build all of them again, from the same tables.
- The proof of the same policies: a release runs hundreds of cases before it decides anything, and so does its reader.
- The questions of the shipped rules of the record, which come from Sigma by way of two libraries.
- The authorities of a site, whose certificates prove each other: every part of the role reads them, and the checker by
  other code. Files that differ by one byte are read as everywhere.
- The tables of the font for papers, of twenty thousand letters, from which each paper takes some.
"""

import copy
import os
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from alembic import command
from alembic.config import Config
from flask import Flask
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # ships no types
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule as Address

from audit.alerts import convert, rules
from audit.alerts.models import Rule
from ca.checker import checker, examining
from ca.checker import rules as checked
from ca.hierarchy import Hierarchy
from core.paper import face
from policies.release import Release

Contents = frozenset[tuple[str, bytes]]

_upgrade = command.upgrade
_compile = Address._compile_builder


class Templates(BytecodeCache):
    """Compiled templates in memory, by what they were compiled from."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._made.get(_known(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._made[_known(bucket)] = bucket.code


def _known(bucket: Bucket) -> tuple[object, ...]:
    made_by = bucket.environment
    return bucket.key, bucket.checksum, made_by.undefined, made_by.trim_blocks, made_by.lstrip_blocks


_made: dict[str, sqlite3.Connection] = {}


def _upgraded(configuration: Config, revision: str) -> None:
    connection = configuration.attributes["connection"]
    component = configuration.get_main_option("version_locations")
    if component is None or revision != "head" or not _is_new(connection):
        _upgrade(configuration, revision)
        return
    file = connection.connection.driver_connection
    if component not in _made:
        _upgrade(configuration, revision)
        file.commit()
        # In memory, and copied page by page: to say its statements again would cost twenty times as much.
        _made[component] = sqlite3.connect(":memory:", check_same_thread=False)
        file.backup(_made[component])
    else:
        file.commit()
        _made[component].backup(file)


def _is_new(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite" and not inspect(connection).get_table_names()


_builders: dict[tuple[object, ...], Any] = {}


def _builder(rule: Address, append_unknown: bool = True) -> Any:  # noqa: FBT001, FBT002 - as werkzeug calls it
    if rule.defaults:
        return _compile(rule, append_unknown)
    # All that the code is made of.
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile(rule, append_unknown)
    return _builders[key]


class SQLite(SQLiteDialect_pysqlite):
    """Every file of one process is spoken to alike, so what was said to one is said to all."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SQLite)

    def __hash__(self) -> int:
        return hash(SQLite)

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine._compiled_cache = _statements


_statements = LRUCache[Any, Any](20_000)

_prove = Release.proved
_releases = LRUCache[frozenset[tuple[str, bytes]], Release](16)


def _proved(files: Mapping[str, bytes], *, version: str) -> Release:
    key = frozenset(files.items())
    if key not in _releases:
        _releases[key] = _prove(files, version=version)
    release = copy.copy(_releases[key])
    release.version = version
    return release


_convert = convert
_shipped: dict[tuple[bytes, str], list[Rule]] = {}


def _converted(content: bytes, *, file: str, shipped: bool) -> list[Rule]:
    if not shipped:
        return _convert(content, file=file, shipped=shipped)
    if (content, file) not in _shipped:
        _shipped[content, file] = _convert(content, file=file, shipped=shipped)
    return list(_shipped[content, file])


_load = Hierarchy.load
_hierarchies = LRUCache[Contents, Hierarchy](16)
_read_issuers = examining.read_issuers
_issuers = LRUCache[Contents, dict[str, examining.Issuer]](16)
_read_rules = checked.read_rules
_rules = LRUCache[tuple[Contents, str], Mapping[str, checked.Rule]](16)


def _contents(folder: Path) -> Contents | None:
    """None while somebody writes there: then all is as everywhere."""
    try:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return frozenset((str(path.relative_to(folder)), path.read_bytes()) for path in files)
    except OSError:
        return None


def _loaded(public: Path) -> Hierarchy:
    if (key := _contents(public)) is None:
        return _load(public)
    if key not in _hierarchies:
        loaded = _load(public)
        if _contents(public) != key:
            return loaded
        _hierarchies[key] = loaded
    return _hierarchies[key]


def _issuers_read(public: Path) -> dict[str, examining.Issuer]:
    if (key := _contents(public)) is None:
        return _read_issuers(public)
    if key not in _issuers:
        read = _read_issuers(public)
        if _contents(public) != key:
            return read
        _issuers[key] = read
    return dict(_issuers[key])


def _rules_read(folder: Path, *, oid_base: str) -> Mapping[str, checked.Rule]:
    if (contents := _contents(folder)) is None:
        return _read_rules(folder, oid_base=oid_base)
    key = contents, oid_base
    if key not in _rules:
        _rules[key] = _read_rules(folder, oid_base=oid_base)
    return _rules[key]


_fonts = LRUCache[tuple[object, ...], Any](8)


def _font(path: Path, **how: Any) -> Any:
    # Its file is read on as more of it is needed: by one thread of one process.
    key = (os.getpid(), threading.get_ident(), path, path.stat().st_mtime_ns, *sorted(how.items()))
    if key not in _fonts:
        _fonts[key] = TTFont(path, **how)
        _fonts[key].close = lambda: None
    return _fonts[key]


def install() -> None:
    """For the rest of this process."""
    command.upgrade = _upgraded  # type: ignore[assignment]  # called with these two and no more
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": Templates()}
    Address._compile_builder = _builder  # type: ignore[method-assign,assignment]  # the same, kept
    rules.convert = _converted  # type: ignore[attr-defined]  # as the module has it from its neighbour
    Hierarchy.load = _loaded  # type: ignore[method-assign]  # nobody derives from it
    checker.read_issuers = _issuers_read  # type: ignore[attr-defined]  # as the module has it from its neighbour
    checker.read_rules = _rules_read  # type: ignore[attr-defined]  # as above
    face.TTFont = _font  # type: ignore[attr-defined]  # as the module has it from its library
    Release.proved = _proved  # type: ignore[method-assign]  # nobody derives from it
    registry.impls["sqlite"] = registry.impls["sqlite.pysqlite"] = lambda: SQLite
