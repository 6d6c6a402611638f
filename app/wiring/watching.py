# SPDX-License-Identifier: Apache-2.0
"""The record's duties, which have a process of their own that answers nobody's requests."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from audit.checking import INDEX_CHECK_EVERY, FullCheck, IndexCheck
from audit.config import AuditSettings
from audit.indexer import Indexer
from audit.published import INDEX_KEY, Reading
from audit.reader import LogReader
from audit.retention import Retaining
from audit.stamps import Authority, LogStamps, Stamper, StampSeries, StampSilent, StampStore
from audit.watch import Duty, Stopped, Watch
from core.config import ConfigurationError

from ..context import Context
from . import alerts, casework, warrants
from .lineage import every_key, every_log, every_reader, make_missing, past, present, tiles
from .outward import export_duties
from .retaining import retaining, retention_duties

YIELDS = 5
"""By how much the duties stand behind intake: with it, beside one other process a core gives them a quarter."""
LATER = 10
"""By how much more those duties stand behind that read whole stretches of the log and that nobody waits for within
seconds: while events come as fast as the processors take them, the index falls behind and alerts do not."""
_INDEX = timedelta(milliseconds=500)
"""Each time costs a transaction of the full-text index; whoever searches reads on to the end first."""
_KEPT = 2048
"""Of the newest entries, for the duty that comes second: alerts and index read the same, and checking it costs."""
_SWITCH = 0.0005
"""Seconds after which a duty's thread lets another one run that waits for Python's lock: one that stands far behind and
holds it would keep the alerts waiting for as long as it takes to come by Python's five thousandths."""
_STAMP_ROUND = timedelta(minutes=1)
_STARTING = timedelta(minutes=2)
"""A site may ask a unit of its own, whose role starts after this process."""
_KNOCK = timedelta(seconds=1)


def serve_watch(context: Context, path: Path) -> None:
    """Do the record's duties until told to stop; ``path`` is the socket that tells how they stand."""
    watch = Watch(duties(context), folder=context.site.folder("audit"), clock=context.clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: watch.stop())
    # What waits for a receipt goes before what is told about it afterwards; how far this is behind, the pages show.
    os.nice(YIELDS)
    sys.setswitchinterval(_SWITCH)
    gc.freeze()
    watch.run(path)


def duties(context: Context) -> list[Duty]:
    """What the record does again and again."""
    opened = reading_of(context, kept=_KEPT)
    given = [
        *warrants.duties(context, opened),
        *casework.duties(context, opened),
        *alerts.duties(context, opened),
        Duty(
            name="index",
            every=_INDEX,
            act=lambda stopped: _index(opened.indexer, stopped),
            yields=LATER,
        ),
        Duty(
            name="index-check",
            every=INDEX_CHECK_EVERY,
            act=lambda stopped: _compare(index_check(context, opened), stopped),
            yields=LATER,
        ),
        Duty(
            name="check",
            every=context.settings("audit", AuditSettings).check_every,
            act=lambda _stopped: _check(full_check(context)),
            yields=LATER,
        ),
    ]
    if (stamps := stamps_of(context)) is not None:
        asking = stampers(context, stamps, patience=_STARTING)
        # Whether it is time is for the round to say: after a failure the next try comes soon.
        given.append(Duty(name="stamp", every=_STAMP_ROUND, act=lambda stopped: _stamp(asking, stopped)))
    reader = LogReader(tiles(context), context.log_key)
    return [*given, *retention_duties(retention_of(context)), *export_duties(context, reader, opened.log)]


def retention_of(context: Context) -> Retaining:
    """Retention, for whoever only looks."""
    return retaining(
        context,
        index=reading_of(context).index,
        recorder=context.recorder("audit"),
        stamps=stamps_of(context),
    )


def reading_of(context: Context, *, kept: int = 0) -> Reading:
    """What reads the record and its index; ``kept`` newest entries are read once for all that follow it."""
    folder = context.site.folder("audit")
    make_missing(folder, [INDEX_KEY])
    return Reading.open(folder, log_key=context.log_key, blobs=tiles(context), past=past(context), kept=kept)


def _index(indexer: Indexer, stopped: Stopped) -> None:
    indexer.catch_up(stopped=lambda: bool(stopped))


def full_check(context: Context) -> FullCheck:
    """Checks the whole of every log, and records what it finds."""
    return FullCheck(every_log(context), recorder=context.recorder("audit"), clock=context.clock)


def index_check(context: Context, opened: Reading) -> IndexCheck:
    """Compares the search index with the logs, a stretch at a time, and mends it."""
    folder = context.site.folder("audit")
    return IndexCheck(index=opened.index, indexer=opened.indexer, log=opened.log, folder=folder, clock=context.clock)


def _compare(check: IndexCheck, stopped: Stopped) -> None:
    check.round(lambda: bool(stopped))


def _check(check: FullCheck) -> None:
    check.round()


def stamps_of(context: Context) -> StampSeries | None:
    """The tokens of every log; None where no authority is asked."""
    if not context.settings("audit", AuditSettings).time_stamp_url:
        return None
    folder = context.site.folder("audit")
    names = [f"stamps-{number}.db" if number > 1 else "stamps.db" for number in range(1, present(context) + 1)]
    logs = zip(every_reader(context), names, strict=True)
    return StampSeries(
        [LogStamps(name=log.reader.name, base=log.base, store=StampStore.open(folder / name)) for log, name in logs]
    )


def _stamp(asking: Sequence[Stamper], stopped: Stopped) -> None:
    """The present log first: while the authority is away the ends of closed ones are not asked about."""
    for each in reversed(asking):
        while not stopped:
            try:
                each.round()
            except StampSilent:
                if not each.patient:
                    raise
                stopped.wait(_KNOCK)
            else:
                break


def stampers(context: Context, stamps: StampSeries, *, patience: timedelta = timedelta()) -> list[Stamper]:
    """What asks the authority of the settings: about the end of each closed log, and about the present one at last.

    Raises:
        ConfigurationError: the roots by which the authority is known cannot be read.
    """
    settings = context.settings("audit", AuditSettings)
    authority = Authority(settings.time_stamp_url, authorities=settings.time_stamp_tls_roots)
    every = list(zip(every_reader(context), every_key(context), stamps.logs, strict=True))
    return [
        Stamper(
            log=log.reader,
            store=own.store,
            ask=authority.ask,
            roots=_time_stamp_roots(settings),
            interval=settings.time_stamp_interval,
            policy=settings.time_stamp_policy,
            dated_by=keys[1] if len(keys) > 1 else None,
            recorder=context.recorder("audit"),
            clock=context.clock,
            before=every[-1][0].base,
            closed=number < len(every),
            patience=patience,
        )
        for number, (log, keys, own) in enumerate(every, 1)
    ]


def _time_stamp_roots(settings: AuditSettings) -> list[x509.Certificate]:
    path = settings.time_stamp_roots
    try:
        return x509.load_pem_x509_certificates(path.read_bytes()) if path else []
    except OSError as error:
        raise ConfigurationError(where="audit.time_stamp_roots", why=error.strerror or "unreadable") from error
    except ValueError as error:
        raise ConfigurationError(where="audit.time_stamp_roots", why="there is no certificate in it") from error
