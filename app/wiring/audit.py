# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``audit``: the log's writer as a process of its own, the console beside it, and the log's birth."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask

from audit import service
from audit.config import AuditSettings
from audit.console import Console
from audit.merkle import LogKey
from audit.models import Recorder
from audit.published import INDEX_KEY, Reading
from audit.seals import Seals, SealStore
from audit.service import create_log, run_log
from audit.web import TRANSLATIONS, blueprint
from core.calls import PairSecrets
from core.config import secret

from ..context import Context
from ..files import replace, write_secret


def found(context: Context) -> None:
    """Make the log's keys, begin the log with entry 0, and publish its verifier keys."""
    folder = context.site.folder("audit")
    for name in ("log.key", "log-mldsa44.key"):
        if not (folder / name).exists():
            write_secret(folder / name, secrets.token_bytes(32))
    key = log_key(context)
    with closing(SealStore.open(folder / "seals.db", upgrade=True)) as store:
        create_log(folder / "log", key=key, seals=Seals(store), clock=context.clock)
    replace(context.site.public / "log.vkey", f"{key.vkey}\n".encode())
    replace(context.site.public / "log-mldsa44.vkey", f"{key.mldsa_vkey}\n".encode())


@contextmanager
def local_recorder(context: Context) -> Iterator[Recorder]:
    """Record in process while no role runs, under the writer's lock."""
    folder = context.site.folder("audit")
    with (
        closing(SealStore.open(folder / "seals.db", upgrade=True)) as store,
        service.local_recorder(
            folder / "log", key=log_key(context), seals=Seals(store), clock=context.clock
        ) as recorder,
    ):
        yield recorder


def serve_log(context: Context) -> None:
    """Run the log's writer until told to stop."""
    folder = context.site.folder("audit")
    run_log(
        folder / "log",
        context.log_socket,
        key=log_key(context),
        seal_keys=folder / "seals.db",
        pairs=PairSecrets(_callers(folder / "pairs")),
        clock=context.clock,
        publish=context.settings("audit", AuditSettings).publish,
    )


def application(context: Context) -> Flask:
    """The officers' console, the public log, and what other roles may read; indexes the log in a thread."""
    folder = context.site.folder("audit")
    if not (folder / INDEX_KEY).exists():
        write_secret(folder / INDEX_KEY, secrets.token_bytes(32))
    reading = Reading.open(folder, log_key=context.log_key)
    console = Console(
        log=reading.log,
        index=reading.index,
        indexer=reading.indexer,
        names=reading.names,
        recorder=context.recorder("audit"),
        clock=context.clock,
    )
    guard = context.guard("audit", audience=context.site.host("audit"), callers=("app", "sso"))
    assurance = context.settings("audit", AuditSettings).officer_assurance
    reading.indexer.start()
    app = context.flask(
        "audit",
        guard=guard,
        blueprints=[blueprint(console, guard, assurance=assurance)],
        translations=[TRANSLATIONS],
        ready=console.ready,
    )
    # Whoever ends the application in process ends its thread.
    app.extensions["tallygate_indexer"] = reading.indexer
    return app


def log_key(context: Context) -> LogKey:
    """The log's signing keys; only the audit role can read them."""
    folder = context.site.folder("audit")
    origin = f"{context.site.domain}/{context.settings('audit', AuditSettings).log}"
    return LogKey(origin, seed=secret(folder / "log.key"), mldsa_seed=secret(folder / "log-mldsa44.key"))


def _callers(folder: Path) -> dict[str, bytes]:
    """Everybody who shares a secret with us, by the name in the file's name."""
    return {path.name.removesuffix("--audit"): secret(path) for path in sorted(folder.glob("*--audit"))}
