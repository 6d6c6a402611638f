# SPDX-License-Identifier: Apache-2.0
"""What every wiring needs: the site's files turned into collaborators, each made the same way for all roles.

What only roles with pages or with the directory need is loaded when they first ask: the log and its watch have neither.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from audit import Feed
from audit.client import FeedClient, RecorderClient
from audit.config import AuditSettings
from audit.witness import Policy, PolicyRefused
from core.calls import PairSecrets, Peer
from core.clock import Clock, SystemClock
from core.config import ConfigurationError, Document, secret
from core.db import Database
from core.identity import IdentityVerifier
from core.site import ROLES, SiteSettings

from .files import private_text
from .files import write_secret as write_secret  # noqa: PLC0414 - offered to the wirings

if TYPE_CHECKING:
    from flask import Blueprint, Flask

    from core.web import Guard
    from directory.service import Directory

S = TypeVar("S")
_OF_A_PART = 4
"""Connections of each part of a role's tables on a database server."""
_ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The ``[databases]`` section."""

    # Role to a file that holds its PostgreSQL URL (postgresql+psycopg://user:password@host/database), readable by
    # that role alone. A role that is not named keeps SQLite, and the log's own files are always with the log.
    url_files: dict[str, Path] = field(default_factory=dict)
    # Folder where `tallygate init` finds files of the same names and hands each role its own copy, every time it is
    # run. For secrets that belong to root, as those of containers do; `url_files` then name the roles' own folders.
    handed_out_from: Path | None = None

    def __post_init__(self) -> None:
        for role in self.url_files:
            if role not in ROLES or role == "audit":
                raise ValueError(f"{role!r} keeps no tables in a database server")


class Context:
    """One role's view of its site; opens nothing until asked."""

    def __init__(self, *, path: Path, site: SiteSettings, document: Document, clock: Clock) -> None:
        self.path = path
        self.site = site
        self.document = document
        self.clock = clock

    @classmethod
    def read(cls, path: Path) -> "Context":
        """Read a site's configuration file.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        document = Document.read(path)
        return cls(
            path=path.resolve(), site=document.section("site", SiteSettings), document=document, clock=SystemClock()
        )

    def settings(self, name: str, shape: type[S]) -> S:
        """One component's section."""
        return self.document.section(name, shape)

    @property
    def log_socket(self) -> Path:
        """Where the log's writer takes frames."""
        return self.site.socket("audit", "log")

    @property
    def log_key(self) -> str:
        """The log's verifier key, by which recorders and followers pin it."""
        return (self.site.public / "log.vkey").read_text("utf-8").strip()

    def recorder(self, role: str) -> RecorderClient:
        """The way into the log."""
        return RecorderClient(
            self.log_socket,
            caller=role,
            secret=self.site.pair_secret(holder=role, caller=role, callee="audit"),
            log_key=self.log_key,
            policy=self.witness_policy("witness_policy"),
        )

    def witness_policy(self, setting: str) -> Policy | None:
        """The policy file that one of the settings ``audit.witness_...`` names; None if it names none.

        Raises:
            ConfigurationError: it cannot be used.
        """
        path: Path | None = getattr(self.settings("audit", AuditSettings), setting)
        if path is None:
            return None
        where = f"audit.{setting}"
        try:
            policy = Policy.parse(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(where=where, why=error.strerror or "unreadable") from error
        except PolicyRefused as error:
            raise ConfigurationError(where=where, why=error.detail) from error
        if setting == "witness_policy":
            if policy.quorum == "none":
                raise ConfigurationError(where=where, why="a quorum of none witnesses nothing")
            if bad := [each.url for each in policy.witnesses.values() if not each.url.startswith(_ADDRESSES)]:
                raise ConfigurationError(where=where, why=f"{bad[0]!r} is no address of a witness")
        return policy

    def feed(self, role: str, *, about: Sequence[str] = ()) -> Feed:
        """The news from the log; ``about`` names the beginnings of the event types that are wanted, by default all."""
        return FeedClient(
            self.log_socket,
            caller=role,
            secret=self.site.pair_secret(holder=role, caller=role, callee="audit"),
            log_key=self.log_key,
            about=about,
        )

    def peer(self, caller: str, callee: str) -> Peer:
        """Another role, as this one may call it."""
        return Peer(
            path=self.site.socket(callee),
            caller=caller,
            secret=self.site.pair_secret(holder=caller, caller=caller, callee=callee),
        )

    def pairs(self, role: str, callers: Sequence[str]) -> PairSecrets:
        """The secrets of those who may call this role."""
        return PairSecrets(
            {caller: self.site.pair_secret(holder=role, caller=caller, callee=role) for caller in callers}
        )

    def database(self, role: str) -> Database:
        """The role's own tables: SQLite in its folder, or what the file named in ``[databases]`` says."""
        url_file = self.settings("databases", DatabaseSettings).url_files.get(role)
        if url_file is not None:
            return Database.open(private_text(url_file))
        return Database.open(f"sqlite:///{self.site.folder(role)}/{role.replace(':', '-')}.db")

    def part(self, role: str, name: str) -> Database:
        """Tables that a role keeps apart from its others: a file of their own, or a schema of its database."""
        url_file = self.settings("databases", DatabaseSettings).url_files.get(role)
        if url_file is not None:
            return Database.open(private_text(url_file), connections=_OF_A_PART, schema=name.replace("-", "_"))
        return Database.open(f"sqlite:///{self.site.folder(role)}/{name}.db")

    def verifier(self, audience: str) -> IdentityVerifier:
        """Checks the gateway's signed identity header for one host."""
        return IdentityVerifier.load(
            self.site.public / "gateway-identity.pem", audience=audience, newer=self.identity_keys
        )

    @property
    def identity_keys(self) -> Path:
        """Where a running gateway keeps every key of its identity header that counts now."""
        return self.site.socket("gateway").parent / "identity-keys.pem"

    def guard(self, role: str, *, audience: str | None = None, callers: Sequence[str] = ()) -> "Guard":
        """The guard of one role: who may call it, and under which host name persons reach it."""
        from core.web import Guard  # noqa: PLC0415 - see the module's docstring
        from directory.models import APART  # noqa: PLC0415 - as above

        return Guard(
            clock=self.clock,
            pairs=self.pairs(role, callers),
            verifier=self.verifier(audience) if audience else None,
            # The writer grants no such pair and the policies refuse it; this door does not rely on either.
            apart=APART,
        )

    def session_key(self, role: str) -> bytes:
        """Signs the role's cookies and form tokens. A new one ends what is under way, and nothing else."""
        return self.kept_key(role, "session.key")

    def kept_key(self, role: str, name: str) -> bytes:
        """A secret of one role alone; made at the role's first need."""
        path = self.site.folder(role) / name
        if not path.exists():
            # Of two workers that start together one is first, and both use its key.
            with suppress(FileExistsError):
                write_secret(path, secrets.token_bytes(32))
        return secret(path)

    def directory(self, role: str) -> "Directory":
        """The directory, bound as this role."""
        from directory.config import DirectorySettings  # noqa: PLC0415 - as above
        from directory.service import Directory  # noqa: PLC0415 - as above

        return Directory.connect(
            self.settings("directory", DirectorySettings), site=self.site, role=role, clock=self.clock
        )

    def flask(
        self,
        role: str,
        *,
        guard: "Guard",
        blueprints: "Sequence[Blueprint]",
        translations: Sequence[Path] = (),
        ready: Callable[[], None] = lambda: None,
        **more: Any,
    ) -> "Flask":
        """The role's Flask application."""
        from core.web import create  # noqa: PLC0415 - as above

        return create(
            role,
            site=self.site,
            guard=guard,
            session_key=self.session_key(role),
            blueprints=blueprints,
            translations=translations,
            ready=ready,
            **more,
        )
