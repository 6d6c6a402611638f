# SPDX-License-Identifier: Apache-2.0
"""`tallygate audit`: what an auditor types; `verify` needs no running site and no secret, `reindex` the index's key."""

import base64
import os
import pwd
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from core.clock import SystemClock
from core.config import ConfigurationError, Document, secret
from core.errors import TallygateError, Unavailable

from .alerts import AlertStore, Engine, Flattener, Places, load
from .blobs import BlobStore, stored
from .config import AuditSettings
from .errors import LogDamaged, ProofRefused
from .exports import ExportBroken, verify_chain, verify_series
from .lineage import LOGS, Past, known_logs
from .merkle import CosignerKey, VerifierKey
from .mirror import Copied, LogForked, LogShrunk, Mirror, Source, Succession
from .published import Reading
from .reader import LogReader
from .verify import Report, claims, verify_folder, verify_logs, verify_url

Stored = Callable[[str], BlobStore | None]
"""Where a log lies in object storage, by the last part of its origin; None if it lies on the disk."""
_PAGE = 200
_ADDRESSES = ("http://", "https://")


@click.group()
def audit() -> None:
    """Check the record."""


@audit.command()
@click.argument("where")
@click.option("--key", help="Verifier key, or a file that holds it; default DIR/../../public/log.vkey.")
@click.option(
    "--older",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint you kept: the record must continue it.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Root certificates for an https address.",
)
@click.option(
    "--logs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The site's logs.txt: check the closed logs too, and that each continues the one before.",
)
@click.option("--hashes-only", is_flag=True, help="At an address that keeps its entries to itself: check tiles only.")
def verify(
    where: str, key: str | None, older: Path | None, ca: Path | None, logs: Path | None, *, hashes_only: bool
) -> None:
    """Check every tile, entry and signature of the record in a folder or at an address.

    Exit code 1 means: not what was signed; the first bad entry is named. 2 means: could not be checked.
    """
    try:
        if logs is not None:
            reports = verify_logs(
                where, logs.read_bytes(), _pinned(where, key), authorities=ca, hashes_only=hashes_only
            )
        else:
            reports = [_verify(where, key, older, ca, hashes_only=hashes_only)]
    except LogDamaged as error:
        click.echo(f"BAD: entry {error.parameters['index']}: {error.parameters['why']}", err=True)
        sys.exit(1)
    except TallygateError as error:
        raise click.UsageError(error.detail) from error
    for claim in claims(reports, hashes_only=hashes_only):
        click.echo(claim)


@audit.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--key", help="Verifier key, or a file that holds it; default FOLDER/../public/log.vkey.")
@click.option(
    "--site",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The site's configuration file (site.toml), which says where the record lies in object storage.",
)
def reindex(folder: Path, key: str | None, configuration: Path | None) -> None:
    """Build the search index again from the record, on the disk or, with --site, in object storage.

    FOLDER is the audit role's own (state/audit). The console may keep running: it searches the old index until the
    new one is whole, and then the new one. Interrupted, nothing has changed.
    """
    log_key = _key(key or str(folder.resolve().parent / "public" / "log.vkey"))
    become_owner(folder)
    where = _stored(configuration)
    present = where(_name(log_key))
    if present is None and not (folder / "log" / "checkpoint").exists():
        raise click.UsageError("the record does not lie in FOLDER; where it lies in object storage, --site says where")
    opened = Reading.open(folder, log_key=log_key, blobs=present, past=_closed(folder, log_key, where))
    if first := opened.log.first():
        click.echo(f"entries before place {first} are pruned by policy, and in no index")
    click.echo(f"{opened.indexer.rebuild()} entries indexed")


@audit.command(name="verify-export")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--key", required=True, help="Verifier key, or a file that holds it (public/log.vkey).")
@click.option(
    "--logs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The site's logs.txt: check the exports of the closed logs too, and that each series reaches its log's end.",
)
def verify_export(paths: tuple[Path, ...], key: str, logs: Path | None) -> None:
    """Check signed exports: each by itself, and that each continues the one before.

    PATHS are files, or folders that hold them. Exit code 1 means: not what was signed, or not a whole series.
    """
    found = [file for path in paths for file in (sorted(path.glob("*.zip")) if path.is_dir() else [path])]
    if not found:
        raise click.UsageError("there is no signed export")
    try:
        pinned = VerifierKey.parse(_key(key))
        if logs is not None:
            manifests = verify_series(found, known_logs(logs.read_bytes(), pinned))
        else:
            manifests = verify_chain(found, pinned)
    except ProofRefused as error:
        raise click.UsageError(error.detail) from error
    except ExportBroken as error:
        click.echo(f"BAD: {error.detail}", err=True)
        sys.exit(1)
    for each in manifests:
        click.echo(f"{each.origin}: entries {each.first} to {each.last}: as signed")
    begun = {each.origin: each.first for each in reversed(manifests)}
    for origin, first in reversed(begun.items()):
        if first:
            click.echo(f"{origin}: nothing here says what was exported before entry {first}.")


@audit.group()
def rules() -> None:
    """Alert rules: what they become, and what they would have found."""


@rules.command(name="check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check_rules(folder: Path) -> None:
    """Convert every rule of FOLDER and print what it becomes; exit code 1 if one is refused."""
    found = load(folder, shipped=None)
    for rule in found.rules:
        click.echo(f"-- {rule.told.title} ({rule.file}, {rule.kind.value}, {rule.level.value}, {rule.id})")
        click.echo(f"{rule.query}\n")
    for refused in found.refused:
        click.echo(f"REFUSED: {refused.file}: {refused.title}: {refused.why}", err=True)
    if found.refused:
        sys.exit(1)


@rules.command(name="run")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--from", "start", default=0, type=click.IntRange(min=0), help="Place of the first entry to look at.")
@click.option(
    "--record",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The audit role's folder (state/audit).",
)
@click.option("--time-zone", default="UTC", help="Time zone of office hours.")
@click.option("--key", help="Verifier key, or a file that holds it; default RECORD/../public/log.vkey.")
def run_rules(folder: Path, start: int, record: Path, time_zone: str, key: str | None) -> None:
    """Evaluate the rules of FOLDER over the past and print what they would have raised; nothing is kept."""
    log_key = _key(key or str(record.resolve().parent / "public" / "log.vkey"))
    found = load(folder, shipped=None)
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.UsageError("--time-zone is not known here") from error
    become_owner(record)
    log = Reading.open(record, log_key=log_key, past=_closed(record, log_key, _stored(None))).log
    with tempfile.TemporaryDirectory(prefix="tallygate-rules-") as scratch:
        store = AlertStore.open(Path(scratch) / "alerts.db")
        store.begin_at(start)
        flattener = Flattener(places=Places.parse(b""), zone=zone)
        looked = Engine(
            log=log, store=store, rules=found, flattener=flattener, clock=SystemClock(), recorder=None
        ).advance()
        after, alerts = "", 0
        while page := store.page(None, after=after, limit=_PAGE)[:_PAGE]:
            for alert in page:
                group = ", ".join(f"{field}={value}" for field, value in alert.group.items())
                entries = " ".join(map(str, alert.entries))
                click.echo(f"{alert.until.isoformat()} {alert.level.value} {alert.told.title} [{group}]: {entries}")
            after, alerts = page[-1].id, alerts + len(page)
    for refused in found.refused:
        click.echo(f"REFUSED: {refused.file}: {refused.title}: {refused.why}", err=True)
    click.echo(f"{looked} entries, {len(found.rules)} rules, {alerts} alerts")
    if found.refused:
        sys.exit(1)


@audit.command()
@click.argument("url")
@click.option("--key", required=True, help="Verifier key of the log, or a file that holds it.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the copy.")
@click.option(
    "--credential",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with NAME:SECRET, as the log's keeper gave it, for reading entries.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Root certificates for an https address.",
)
@click.option("--cosign", help="Name under which the copy is vouched for; not a witness's name.")
@click.option("--cosign-key", type=click.Path(dir_okay=False, path_type=Path), help="Its key; made if it is missing.")
@click.option("--every", type=click.FloatRange(min=1), help="Go on copying, with so many seconds between two looks.")
@click.option("--all-logs", is_flag=True, help="Copy the closed logs too, each into a folder of its own in INTO.")
def mirror(  # noqa: PLR0917 - one parameter for each option
    url: str,
    key: str,
    into: Path,
    credential: Path | None,
    ca: Path | None,
    cosign: str | None,
    cosign_key: Path | None,
    every: float | None,
    *,
    all_logs: bool,
) -> None:
    """Keep a complete copy of the record at URL, on a machine that needs nothing else of the site.

    With --all-logs the key may be that of any of the site's logs, and when the record goes on in a successor the copy
    does too. Without it one log is copied.

    URL is the prefix of the log; at a Tallygate https://log.DOMAIN:PORT/mirror. Exit code 1 means: it hands out what
    was not signed. 2: it could not be copied to the end; run again. 3: it has signed two histories, or shows less than
    it did; both checkpoints lie in the folder's "evidence".
    """
    clock = SystemClock()
    try:
        source = Source.open(url, credential=private_line(credential) if credential else "", authorities=ca)
        pinned = VerifierKey.parse(_key(key))
        vouching = cosigner(cosign, cosign_key, into) if cosign else None
        copy = (Succession if all_logs else Mirror)(into, source, pinned, clock=clock, cosigner=vouching)
        with copy.alone():
            while not _round(copy, lazy=every is not None) and every is not None:
                time.sleep(every)
    except (LogForked, LogShrunk) as error:
        click.echo(f"BAD: {error.detail}", err=True)
        sys.exit(3)
    except LogDamaged as error:
        click.echo(f"BAD: entry {error.parameters['index']}: {error.parameters['why']}", err=True)
        sys.exit(1)
    except (TallygateError, ValueError) as error:
        raise click.UsageError(error.detail if isinstance(error, TallygateError) else str(error)) from error


def _round(copy: Mirror | Succession, *, lazy: bool) -> bool:
    """One round; whether it was the last because the log is closed. What may pass is told and tried again."""
    try:
        if isinstance(copy, Succession):
            for name, done in copy.advance(lazy=lazy):
                _copied(done, lazy=lazy, name=f"{name}: ")
            return False
        done = copy.advance(lazy=lazy)
    except (Unavailable, LogDamaged) as error:
        if not lazy:
            raise
        click.echo(f"not copied: {error.detail}", err=True)
        return False
    _copied(done, lazy=lazy)
    if done.successor:
        click.echo(
            f"this log is closed; {done.successor} continues it: --all-logs into another folder copies both, "
            "known by the same key"
        )
    return bool(done.successor)


def _copied(done: Copied, *, lazy: bool, name: str = "") -> None:
    if done.new or not lazy:
        root = base64.b64encode(done.root).decode()
        click.echo(f"{name}{done.size} entries, {done.new} of them new, root {root}: all as signed, and kept")
        if done.first:
            click.echo(
                f"{name}entries before {done.first} are pruned there by policy, signed; what is here of them stays"
            )


def private_line(path: Path) -> str:
    """The one line of a file that nobody but its owner can read.

    Raises:
        ConfigurationError: readable by others.
    """
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(where=str(path), why="a secret must not be readable by group or others")
    return _text(path).strip()


def cosigner(name: str, path: Path | None, folder: Path) -> CosignerKey:
    """What a mirror signs with; made at the first need, and its verifier key put beside the copy."""
    if path is None:
        raise click.UsageError("--cosign needs --cosign-key")
    if not path.exists():
        with open(path, "xb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            file.write(secrets.token_bytes(32))
    key = CosignerKey(name, seed=secret(path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mirror.vkey").write_text(f"{key.vkey}\n", "utf-8")
    return key


def _verify(where: str, key: str | None, older: Path | None, ca: Path | None, *, hashes_only: bool) -> Report:
    kept, pinned = _text(older) if older else None, _pinned(where, key)
    if where.startswith(_ADDRESSES):
        return verify_url(where, pinned, older=kept, authorities=ca, hashes_only=hashes_only)
    return verify_folder(Path(where), pinned, older=kept)


def _pinned(where: str, key: str | None) -> str:
    if where.startswith(_ADDRESSES) and key is None:
        raise click.UsageError("an address needs --key: the key must not come from whom it checks")
    beside = Path(where) / ".." / ".." / "public" / "log.vkey"
    if key is None and not beside.exists():
        raise click.UsageError("which log is this? --key names its verifier key")
    return _key(key or str(beside))


def become_owner(folder: Path) -> None:
    """Root has no business in a role's folder: the role could not change what it wrote, and links could lead it."""
    found = folder.stat()
    if os.geteuid() == 0 and found.st_uid != 0:
        try:
            # The groups that user has: by one of them the site's roles reach each other's sockets.
            os.initgroups(pwd.getpwuid(found.st_uid).pw_name, found.st_gid)
        except KeyError:
            os.setgroups([])
        os.setresgid(found.st_gid, found.st_gid, found.st_gid)
        os.setresuid(found.st_uid, found.st_uid, found.st_uid)


def _stored(configuration: Path | None) -> Stored:
    """Where a log lies in object storage, by its name; nowhere if the settings name no storage.

    Raises:
        ConfigurationError: the settings, the address or the credentials cannot be used.
    """
    settings = Document.read(configuration).section("audit", AuditSettings) if configuration else AuditSettings()
    if settings.tiles_credentials is None:
        return lambda _name: None
    credentials = private_line(settings.tiles_credentials)

    return lambda name: stored(settings, name, credentials=credentials)


def _name(log_key: str) -> str:
    return VerifierKey.parse(log_key).name.rpartition("/")[2]


def _closed(folder: Path, log_key: str, where: Stored) -> Past:
    """The closed logs of the audit role's folder, as far as the log of this key vouches for them."""
    path = folder.resolve().parent / "public" / LOGS
    if not path.is_file():
        return Past()
    known = known_logs(path.read_bytes(), VerifierKey.parse(log_key))
    names = [(key, key.name.rpartition("/")[2]) for key in known[:-1]]
    return Past([LogReader(where(name) or folder / "logs" / name, str(key)) for key, name in names])


def _key(text: str) -> str:
    """A vkey has plus signs and three parts; anything else names a file."""
    path = Path(text)
    return _text(path).strip() if path.is_file() else text


def _text(path: Path) -> str:
    """What is no text is no key and no checkpoint either; whoever parses it says so."""
    return path.read_bytes().decode("utf-8", "replace")
