# SPDX-License-Identifier: Apache-2.0
"""Backups of the directory and the way back, each part by the user whose folder it is about."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from audit import Outcome, new_key
from directory import DirectorySettings
from directory.backups import Vault, fingerprint, make_keys, read_private, read_public
from directory.errors import BeyondBackup
from directory.service import preserving
from directory.service.preserving import Preservation, Return

from ..context import Context
from ..files import write_secret
from ..users import Users
from .directory import ROLE, begin_second_again

_PUBLIC, _PRIVATE = "backup.public", "backup.private"


@dataclass(frozen=True, kw_only=True)
class Made:
    """One finished backup."""

    folder: Path
    entries: int
    changes: int
    recipient: str


def found_keys(folder: Path) -> str:
    """Make a pair of keys in a folder; returns the fingerprint. The private one belongs off the site.

    Raises:
        FileExistsError: there is one.
    """
    private, public = make_keys()
    write_secret(folder / _PRIVATE, private.encode())
    (folder / _PUBLIC).write_text(public, "utf-8")
    return fingerprint(public)


def backup(context: Context, folder: Path, public: Path) -> Made:
    """Keep the directory in a new folder below this one, while the site runs; recorded before anything is read.

    Raises:
        BadBackupKey: that is no public key.
        RecordUnavailable: no receipt; nothing was read.
        BrokenBackup: it could not be read again as it was written; it does not count as made.
    """
    settings, users = context.settings(ROLE, DirectorySettings), Users.detect()
    text = public.read_text("utf-8", "replace")
    key, recipient = read_public(text), fingerprint(text)
    at, operation = context.clock.now(), new_key()
    record = partial(_record, context, users)
    record(lambda them: them.kept(Outcome.INTENDED, operation, to=recipient))
    proof = None
    try:
        with Vault.create(folder / f"directory-{at:%Y%m%dT%H%M%SZ}") as vault:
            for part in (preserving.TREE, preserving.CHANGES, preserving.TABLES):
                vault.begin(part)
            users.acting("slapd", _silent(partial(preserving.keep_tree, settings, context.site, vault)))
            users.acting(ROLE, _silent(partial(preserving.keep_tables, context.site, vault)))
            proof = preserving.proven(vault)
            moment = context.clock.now().isoformat()
            vault.close(key, at=moment, suffix=settings.suffix, newest=proof.newest)
            vault.verify()
    finally:
        outcome = Outcome.SUCCESS if proof is not None else Outcome.FAILURE
        record(lambda them: them.kept(outcome, operation, to=recipient, proof=proof))
    return Made(folder=vault.folder, entries=proof.entries, changes=proof.changes, recipient=recipient)


def restore(
    context: Context,
    folder: Path,
    private: Path,
    *,
    at: datetime | None,
    recording: Callable[[], contextlib.AbstractContextManager[object]] | None = None,
) -> Return:
    """What bringing the tree of a moment back would change and, with ``recording``, bring it back; slapd is stopped.

    Raises:
        BadBackupKey, WrongBackupKey: it does not open.
        BrokenBackup: the backup is not whole; nothing was changed.
        BeyondBackup: the moment cannot be reached; nothing was changed.
        RecordUnavailable: no receipt; nothing was changed.
    """
    settings, users = context.settings(ROLE, DirectorySettings), Users.detect()
    with Vault.open(folder, read_private(private.read_text("utf-8", "replace"))) as vault:
        vault.verify()
        if vault.kept.suffix != settings.suffix:
            raise BeyondBackup(why=f"it is of {vault.kept.suffix}.")

        def work(*, execute: bool) -> Return:
            return preserving.parse_return(
                users.acting(
                    "slapd",
                    lambda: preserving.dump_return(
                        preserving.bring_back(settings, context.site, vault, at=at, execute=execute)
                    ),
                )
            )

        found = work(execute=False)
        if recording is None:
            return found
        operation, done = new_key(), False
        users.acting(ROLE, _silent(partial(preserving.bring_tables_back, context.site, vault)))
        with recording():
            record = partial(_record, context, users)
            record(lambda them: them.brought_back(Outcome.INTENDED, operation, at=at, what=found))
            try:
                found = work(execute=True)
                # Its notes lead elsewhere now.
                begin_second_again(context)
                done = True
            finally:
                outcome = Outcome.SUCCESS if done else Outcome.FAILURE
                record(lambda them: them.brought_back(outcome, operation, at=at, what=found))
        return found


def _record(context: Context, users: Users, act: Callable[[Preservation], None]) -> None:
    users.acting(ROLE, _silent(lambda: act(Preservation(context.recorder(ROLE), context.clock))))


def _silent(work: Callable[[], object]) -> Callable[[], bytes]:
    def silent() -> bytes:
        work()
        return b""

    return silent
