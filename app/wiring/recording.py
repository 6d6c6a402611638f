# SPDX-License-Identifier: Apache-2.0
"""The log's own process and its birth: what writes entries, and carries nothing that only reads or shows them."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from audit import rotation, service
from audit.config import AuditSettings
from audit.merkle import CosignerKey
from audit.models import Recorder
from audit.seals import Seals, SealStore
from audit.service import create_log, record_first, run_log
from audit.writer import Recorded, Settings
from core.calls import PairSecrets
from core.config import secret

from ..context import Context
from ..files import replace
from ..in_force import recorded, stated
from .lineage import key_files, log_key, make_missing, past, publish_keys, tiles, trust_root, witnesses

_MOST_HELPERS = 4
"""Processes among which the log's writer shares the sealing of many events at once: one for each core, up to four."""
_SWITCH = 0.0005
"""Seconds after which a thread of the log's writer lets another one run: publishing computes for long, and by Python's
five thousandths whoever waits for a receipt meanwhile would wait as long at every step."""
_WITNESS_KEYS = ("witness.key", "witness-mldsa44.key")


def found(context: Context) -> None:
    """Make the log's keys, begin the log with entry 0, and publish its verifier keys."""
    folder = context.site.folder("audit")
    make_missing(folder, key_files(1))
    key = log_key(context)
    with closing(SealStore.open(folder / "seals.db", upgrade=True)) as store:
        create_log(folder / "log", key=key, seals=Seals(store), clock=context.clock, blobs=tiles(context))
    publish_keys(context, trust_root(context, 1))
    # For other sites' policy files: by these keys they know our cosignatures.
    for name, vkey in zip(("witness.vkey", "witness-mldsa44.vkey"), witness_key(context).vkeys, strict=True):
        replace(context.site.public / name, f"{vkey}\n".encode())


@contextmanager
def local_recorder(context: Context) -> Iterator[Recorder]:
    """Record in process while no role runs, under the writer's lock."""
    folder = context.site.folder("audit")
    with (
        closing(SealStore.open(folder / "seals.db", upgrade=True)) as store,
        service.local_recorder(
            folder / "log", key=log_key(context), seals=Seals(store), clock=context.clock, blobs=tiles(context)
        ) as recorder,
    ):
        yield recorder


def take_up(context: Context, recorder: Recorder) -> None:
    """Put on the record by which settings the site is born, before anything is made by them."""
    record_first(recorded(context), stated(context.document), recorder=recorder, clock=context.clock)


def serve_log(context: Context) -> None:
    """Run the log's writer until told to stop."""
    sys.setswitchinterval(_SWITCH)
    # What is loaded by now stays: a full collection that looks at it again stops everybody for a tenth of a second.
    gc.freeze()
    folder, settings = context.site.folder("audit"), context.settings("audit", AuditSettings)
    key = log_key(context)
    rotation.demand_open(folder / "log", key)
    run_log(
        folder / "log",
        context.log_socket,
        key=key,
        seal_keys=folder / "seals.db",
        pairs=PairSecrets(_callers(folder / "pairs")),
        clock=context.clock,
        publish=settings.publish,
        witnesses=witnesses(context),
        blobs=tiles(context),
        past=past(context),
        helpers=min(_MOST_HELPERS, os.cpu_count() or 1),
        settings=Settings(Recorded(recorded(context)), stated(context.document)),
    )


def witness_key(context: Context) -> CosignerKey:
    """What this site cosigns with; its keys are made at the first need."""
    folder = context.site.folder("audit")
    make_missing(folder, _WITNESS_KEYS)
    ed25519, mldsa = (secret(folder / name) for name in _WITNESS_KEYS)
    return CosignerKey(f"{context.site.domain}/witness", seed=ed25519, mldsa_seed=mldsa)


def _callers(folder: Path) -> dict[str, bytes]:
    """Everybody who shares a secret with us, by the name in the file's name."""
    return {path.name.removesuffix("--audit"): secret(path) for path in sorted(folder.glob("*--audit"))}
