# SPDX-License-Identifier: Apache-2.0
"""The logs of a site: their names and keys, where each of them lies, what is published of them, and their rotation.

Everybody pins the present log by ``public/log.vkey``; from its name follows the number of the log, and from that the
names of its keys' files. So a rotation is in force at the moment in which that one file is replaced.
"""

import base64
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from audit import lineage
from audit.blobs import BlobStore, DiskBlobs, stored
from audit.config import AuditSettings
from audit.errors import ProofRefused
from audit.lineage import Ancestor, Past
from audit.merkle import LogKey, VerifierKey
from audit.reader import LogReader
from audit.rotation import Place, Rotation
from audit.seals import Seals, SealStore
from audit.service import Witnesses
from core.calls import PairSecrets
from core.config import ConfigurationError, secret

from ..context import Context
from ..files import private_text, replace, write_secret
from ..users import Users

_LEAST_SECRET = 32


def rotate(context: Context, say: Callable[[str], None], *, unwitnessed: bool = False) -> None:
    """Close the present log and put its successor in its place; the roles must be stopped.

    Cut off anywhere, running it again ends what was begun, and begins nothing else.

    Raises:
        TooFewWitnesses: the quorum does not cosign; nothing was closed.
        LeadsElsewhere: a role left a link in its folder.
    """
    users = Users.detect()
    number = present(context)
    say(f"Closing {_origin(context, number)}")
    root = users.acting("audit", partial(_rotated, context, number, unwitnessed=unwitnessed))
    publish_keys(context, root)
    say(f"The record goes on as {_origin(context, number + 1)}, known by public/log.vkey")


def _rotated(context: Context, number: int, *, unwitnessed: bool) -> bytes:
    folder = context.site.folder("audit")
    make_missing(folder, key_files(number + 1))
    old, new = (log_name(context, each) for each in (number, number + 1))
    with closing(SealStore.open(folder / "seals.db", upgrade=True)) as store:
        Rotation(
            old=Place(folder=folder / "log", key=log_key(context, number), blobs=objects(context, old)),
            new=Place(folder=folder / "log.next", key=log_key(context, number + 1), blobs=objects(context, new)),
            archive=archive(folder, old),
            seals=Seals(store),
            clock=context.clock,
        ).run(witnesses(context), unwitnessed=unwitnessed)
    return trust_root(context, number + 1)


def _origin(context: Context, number: int) -> str:
    return f"{context.site.domain}/{log_name(context, number)}"


def trust_root(context: Context, number: int) -> bytes:
    """All logs up to this one, signed by each; only the audit role holds the keys."""
    here = context.site.origin("log")
    keys = [log_key(context, each) for each in range(1, number + 1)]
    return lineage.trust_root(
        [
            (key, here if each == number else f"{here}/logs/{log_name(context, each)}")
            for each, key in enumerate(keys, 1)
        ]
    )


def publish_keys(context: Context, root: bytes) -> None:
    """Tell everybody the keys of the present log; what all pin is written last."""
    public_folder = context.site.public
    ed25519, mldsa = _keys_in(root)[-1]
    replace(public_folder / lineage.LOGS, root)
    replace(public_folder / "log-mldsa44.vkey", f"{mldsa}\n".encode())
    replace(public_folder / "log.vkey", f"{ed25519}\n".encode())


def log_key(context: Context, number: int | None = None) -> LogKey:
    """One log's signing keys, by default the present one's; only the audit role can read them."""
    number = number or present(context)
    folder = context.site.folder("audit")
    seed, mldsa_seed = (secret(folder / name) for name in key_files(number))
    return LogKey(_origin(context, number), seed=seed, mldsa_seed=mldsa_seed)


def key_files(number: int) -> tuple[str, str]:
    """The files of one log's keys, in the audit role's folder."""
    return ("log.key", "log-mldsa44.key") if number == 1 else (f"log-{number}.key", f"log-{number}-mldsa44.key")


def present(context: Context) -> int:
    """The number of the log that everybody pins; before the birth it is the first."""
    try:
        name = context.log_key.partition("+")[0].rpartition("/")[2]
    except FileNotFoundError:
        return 1
    number = name.removeprefix(f"{context.settings('audit', AuditSettings).log}-")
    return int(number) if number != name else 1


def log_name(context: Context, number: int) -> str:
    """The last part of one log's origin."""
    first = context.settings("audit", AuditSettings).log
    return first if number == 1 else f"{first}-{number}"


def past(context: Context) -> Past:
    """The logs that were closed, as far as the present log's key vouches for them.

    Raises:
        ProofRefused: the trust root is not signed by the present log.
    """
    return Past([LogReader(where, key) for where, key in every_log(context)[:-1]])


def every_log(context: Context) -> list[tuple[BlobStore, str]]:
    """Where each log of the site lies, with its key, oldest first; the last one is the present one.

    Raises:
        ProofRefused: the trust root is not signed by the present log.
    """
    here = tiles(context), context.log_key
    raw = trust_root_file(context)
    if not raw:
        return [here]
    known = lineage.known_logs(raw, VerifierKey.parse(context.log_key))
    folder = context.site.folder("audit")
    if known and known[-1] != VerifierKey.parse(context.log_key):
        raise ProofRefused(why="the trust root ends with another log than the present one")
    closed: list[tuple[BlobStore, str]] = []
    for number, key in enumerate(known[:-1], 1):
        where = objects(context, log_name(context, number)) or DiskBlobs(archive(folder, log_name(context, number)))
        closed.append((where, str(key)))
    return [*closed, here]


def every_reader(context: Context) -> list[Ancestor]:
    """Every log of the site with its place among all, oldest first; of the present one the size is not said."""
    closed = past(context)
    return [*closed.logs, Ancestor(LogReader(tiles(context), context.log_key), closed.size, 0)]


def every_key(context: Context) -> list[tuple[VerifierKey, ...]]:
    """The keys of each log as the site publishes them, oldest log first, each with its Ed25519 key first.

    Raises:
        ProofRefused: the trust root is not signed by the present log.
    """
    raw = trust_root_file(context)
    if raw:
        return lineage.known_keys(raw, VerifierKey.parse(context.log_key))
    second = context.site.public / "log-mldsa44.vkey"
    own = [context.log_key, *([second.read_text("utf-8").strip()] if second.exists() else [])]
    return [tuple(VerifierKey.parse(each) for each in own)]


def archive(folder: Path, name: str) -> Path:
    """Where a closed log lies."""
    return folder / "logs" / name


def trust_root_file(context: Context) -> bytes:
    """Empty at a site that was born before there was one, and has had one log since."""
    try:
        return (context.site.public / lineage.LOGS).read_bytes()
    except FileNotFoundError:
        return b""


def _keys_in(root: bytes) -> list[tuple[str, str]]:
    """The two keys of each log, as the trust root's lines have them."""
    keys = [line.split(" ")[1] for line in root.decode().splitlines() if line.startswith("log ")]
    return list(zip(keys[::2], keys[1::2], strict=True))


def tiles(context: Context) -> BlobStore:
    """Where the present log's public part lies.

    Raises:
        ConfigurationError: the store's address or credentials cannot be used.
    """
    found = objects(context, log_name(context, present(context)))
    return found or DiskBlobs(context.site.folder("audit") / "log")


def objects(context: Context, name: str) -> BlobStore | None:
    """One log's public part in object storage; None where the settings name no storage.

    Raises:
        ConfigurationError: its address or credentials cannot be used.
    """
    settings = context.settings("audit", AuditSettings)
    if settings.tiles_credentials is None:
        return None
    return stored(settings, name, credentials=private_text(settings.tiles_credentials))


def witnesses(context: Context) -> Witnesses | None:
    """Who cosigns the present log; None where nobody is asked."""
    settings = context.settings("audit", AuditSettings)
    policy = context.witness_policy("witness_policy")
    if policy is None:
        return None
    return Witnesses(policy=policy, interval=settings.witness_interval, authorities=settings.witness_roots)


def mirror_secrets(context: Context) -> PairSecrets:
    """The secrets of those who may copy our entries.

    Raises:
        ConfigurationError: a file is missing, readable by others, or holds something else.
    """
    found: dict[str, bytes] = {}
    for name, path in context.settings("audit", AuditSettings).mirrors.items():
        try:
            found[name] = base64.b64decode(private_text(path), validate=True)
        except ValueError:
            found[name] = b""
        if len(found[name]) < _LEAST_SECRET:
            raise ConfigurationError(where=f"audit.mirrors.{name}", why="must hold at least 32 bytes in base64")
    return PairSecrets(found)


def make_missing(folder: Path, names: Sequence[str]) -> None:
    """Make those of a folder's keys that are not there."""
    for name in names:
        if not (folder / name).exists():
            write_secret(folder / name, secrets.token_bytes(32))
