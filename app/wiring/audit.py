# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``audit``: the log's writer and its duties as processes of their own, the console, the birth."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from flask import Flask

from audit import rotation, service
from audit.cases import Cases, CaseStore
from audit.checking import INDEX_CHECK_EVERY, FullCheck, IndexCheck
from audit.client import RecorderClient
from audit.config import AuditSettings
from audit.console import (
    Console,
    Evidencing,
    IndexCounting,
    Mirroring,
    Overview,
    SavedSearches,
    Stories,
    Views,
    concerned,
)
from audit.indexer import Indexer
from audit.intake import Intake
from audit.merkle import CosignerKey
from audit.models import Recorder
from audit.published import INDEX_KEY, Reading
from audit.reader import LogReader
from audit.retention import Retaining
from audit.seals import Seals, SealStore
from audit.search import Vocabulary
from audit.search.words import told
from audit.service import create_log, run_log
from audit.stamps import Authority, LogStamps, Stamper, StampSeries, StampStore
from audit.store import IndexChecked
from audit.watch import Duty, Stopped, Watch
from audit.web import (
    TRANSLATIONS,
    Pages,
    alerting,
    blueprint,
    casework,
    directly,
    evidencing,
    exporting,
    mirrored,
    overseeing,
    public,
    reading,
    retention_pages,
    saving,
    stamping,
    taking,
    telling,
    warranting,
    witnessing,
)
from audit.witness import STATUS, Witness, WitnessStatus, WitnessStore
from core.calls import PairSecrets
from core.config import ConfigurationError, secret
from core.web import chinese_words

from ..context import Context
from ..files import replace
from . import alerts, warrants
from . import evidence as making
from .lineage import (
    every_key,
    every_log,
    every_reader,
    key_files,
    log_key,
    make_missing,
    mirror_secrets,
    past,
    present,
    publish_keys,
    tiles,
    trust_root,
    trust_root_file,
    witnesses,
)
from .outward import export_desk, export_duties, export_standing, signed_folder
from .retaining import retaining, retention_duties

RECORDING = ("app", "directory", "ca", "sso", "signatures", "gateway")
"""Roles that record, and may therefore call."""
_STAMP_ROUND = timedelta(minutes=1)
_MOST_HELPERS = 4
"""Processes among which the log's writer shares the sealing of many events at once: one for each core, up to four."""
_CASES_KEY = "cases.key"
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


def serve_log(context: Context) -> None:
    """Run the log's writer until told to stop."""
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
    )


def serve_watch(context: Context, path: Path) -> None:
    """Do the record's duties until told to stop; ``path`` is the socket that tells how they stand."""
    watch = Watch(duties(context), folder=context.site.folder("audit"), clock=context.clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: watch.stop())
    watch.run(path)


def duties(context: Context) -> list[Duty]:
    """What the record does again and again."""
    opened = _reading(context)
    given = [
        *warrants.duties(context, opened),
        *alerts.duties(context, opened),
        Duty(
            name="index",
            every=timedelta(milliseconds=250),
            act=lambda stopped: _index(opened.indexer, stopped),
        ),
        Duty(
            name="index-check",
            every=INDEX_CHECK_EVERY,
            act=lambda stopped: _compare(index_check(context, opened), stopped),
        ),
        Duty(
            name="check",
            every=context.settings("audit", AuditSettings).check_every,
            act=lambda _stopped: _check(full_check(context)),
        ),
    ]
    if (stamps := _stamps(context)) is not None:
        asking = stampers(context, stamps)
        # Whether it is time is for the round to say: after a failure the next try comes soon.
        given.append(Duty(name="stamp", every=_STAMP_ROUND, act=lambda _stopped: _stamp(asking)))
    reader = LogReader(tiles(context), context.log_key)
    return [*given, *retention_duties(retention_of(context)), *export_duties(context, reader, opened.log)]


def application(context: Context) -> Flask:
    """The officers' console, the public log, and what other roles may read."""
    folder, opened = context.site.folder("audit"), _reading(context)
    recorder = context.recorder("audit")
    asked = context.witness_policy("witness_policy") is not None
    make_missing(folder, [_CASES_KEY])
    cases = Cases(
        store=CaseStore.open(folder / "cases.db"),
        key=secret(folder / _CASES_KEY),
        recorder=recorder,
        clock=context.clock,
        size=opened.log.size,
        before=past(context).size,
        concerned=lambda place: concerned(opened.log, place),
    )
    consents = warrants.Consents.open(context, opened, recorder, cases=cases)
    console = Console(
        warrants=consents.warrants,
        scopes=consents.scopes,
        log=opened.log,
        index=opened.index,
        indexer=opened.indexer,
        names=opened.names,
        recorder=recorder,
        clock=context.clock,
        witnesses=lambda: _status(folder) if asked else None,
        vocabulary=Vocabulary(told(chinese_words([TRANSLATIONS]))),
    )
    guard = context.guard("audit", audience=context.site.host("audit"), callers=RECORDING)
    assurance = context.settings("audit", AuditSettings).officer_assurance
    others = context.witness_policy("witness_for")
    witness = Witness(
        key=witness_key(context),
        logs=[log.key for log in others.logs] if others else [],
        store=WitnessStore.open(folder / "witness.db"),
        recorder=recorder,
        clock=context.clock,
    )
    stamps = _stamps(context)
    evidence = Evidencing(
        desk=making.desk(
            context,
            recorder=recorder,
            stamps=stamps,
            stampers=stampers(context, stamps) if stamps else [],
        ),
        log=opened.log,
        index=opened.index,
        demand=consents.warrants.demand,
        in_case=consents.scopes.in_case,
        in_alert=consents.scopes.in_alert,
        covering=consents.scopes.covering,
        nameless=consents.scopes.nameless,
    )
    counting = IndexCounting(opened.index)
    overview = Overview(
        console,
        index=opened.index,
        counting=counting,
        clock=context.clock,
        stamps=stamps,
        checked=lambda: IndexChecked.read(folder),
    )
    views = Views(console, index=opened.index, counting=counting, clock=context.clock)
    kept = retention_of(context)
    exports = export_desk(context, LogReader(tiles(context), context.log_key), recorder)
    searches = SavedSearches(console, store=warrants.saved_searches(folder), clock=context.clock)
    intake = Intake(_recorders(context))
    parts: list[Pages] = [
        warranting(consents.pages(console), assurance=assurance),
        reading(console, searches=searches, assurance=assurance),
        saving(searches, assurance=assurance),
        overseeing(console, overview=overview, views=views, assurance=assurance),
        telling(Stories(console, index=opened.index), assurance=assurance),
        casework(console, cases=cases, assurance=assurance),
        public(console, known=lambda: trust_root_file(context)),
        mirrored(
            console,
            Mirroring(console, opened.log),
            secrets=mirror_secrets(context),
            known=lambda: trust_root_file(context),
        ),
        witnessing(console, witness=witness, assurance=assurance),
        stamping(console, stamps=stamps, clock=context.clock, assurance=assurance),
        alerting(alerts.desk(context, recorder, opened), assurance=assurance),
        evidencing(console, evidence, assurance=assurance),
        exporting(
            console,
            desk=exports,
            folder=signed_folder(context),
            consent=consents.for_target,
            assurance=assurance,
        ),
        taking(intake, callers=RECORDING),
        retention_pages(
            console,
            retaining=kept,
            consent=lambda reader, kind, days: consents.for_term(reader, kind.value, days),
            assurance=assurance,
        ),
    ]
    made = context.flask(
        "audit",
        guard=guard,
        blueprints=[blueprint(guard, parts)],
        translations=[TRANSLATIONS],
        ready=console.ready,
        standing=lambda: {
            **console.standing(),
            **IndexChecked.read(folder).standing(),
            **consents.standing(),
            **_stamped(context, stamps),
            **export_standing(exports),
        },
    )
    before = directly(made.wsgi_app, intake, guard, callers=RECORDING)
    made.wsgi_app = before  # type: ignore[method-assign,assignment]  # Flask documents this very line
    return made


def _recorders(context: Context) -> Callable[[str], RecorderClient]:
    """Each caller's own way into the log, opened when it is first used: the log is shown the caller's secret."""

    @cache
    def opened(caller: str) -> RecorderClient:
        secret_of_both = context.site.pair_secret(holder="audit", caller=caller, callee="audit")
        return RecorderClient(context.log_socket, caller=caller, secret=secret_of_both, log_key=context.log_key)

    return opened


def retention_of(context: Context) -> Retaining:
    """Retention, for whoever only looks."""
    return retaining(
        context,
        index=_reading(context).index,
        recorder=context.recorder("audit"),
        stamps=_stamps(context),
    )


def _reading(context: Context) -> Reading:
    folder = context.site.folder("audit")
    make_missing(folder, [INDEX_KEY])
    return Reading.open(folder, log_key=context.log_key, blobs=tiles(context), past=past(context))


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


def _stamps(context: Context) -> StampSeries | None:
    """The tokens of every log; None where no authority is asked."""
    if not context.settings("audit", AuditSettings).time_stamp_url:
        return None
    folder = context.site.folder("audit")
    names = [f"stamps-{number}.db" if number > 1 else "stamps.db" for number in range(1, present(context) + 1)]
    logs = zip(every_reader(context), names, strict=True)
    return StampSeries(
        [LogStamps(name=log.reader.name, base=log.base, store=StampStore.open(folder / name)) for log, name in logs]
    )


def _stamp(asking: Sequence[Stamper]) -> None:
    """The present log first: while the authority is away the ends of closed ones are not asked about."""
    for each in reversed(asking):
        each.round()


def _stamped(context: Context, stamps: StampSeries | None) -> dict[str, int]:
    """What a probe tells of the stamps: whether they fail, and how old the last one is."""
    if stamps is None:
        return {}
    last, failing = stamps.last(), stamps.outage() is not None
    if last is None:
        return {"stamp_failing": int(failing)}
    age = max(0, int((context.clock.now() - last.stamp.kept).total_seconds()))
    return {"stamp_failing": int(failing), "stamp_age_seconds": age}


def stampers(context: Context, stamps: StampSeries) -> list[Stamper]:
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


def witness_key(context: Context) -> CosignerKey:
    """What this site cosigns with; its keys are made at the first need."""
    folder = context.site.folder("audit")
    make_missing(folder, _WITNESS_KEYS)
    ed25519, mldsa = (secret(folder / name) for name in _WITNESS_KEYS)
    return CosignerKey(f"{context.site.domain}/witness", seed=ed25519, mldsa_seed=mldsa)


def _status(folder: Path) -> WitnessStatus:
    """How the log's process says the witnesses stand; before it has asked, nobody has cosigned."""
    try:
        said = WitnessStatus.decode((folder / "log" / "private" / STATUS).read_bytes())
    except OSError:
        said = None
    return said or WitnessStatus.unknown()


def _callers(folder: Path) -> dict[str, bytes]:
    """Everybody who shares a secret with us, by the name in the file's name."""
    return {path.name.removesuffix("--audit"): secret(path) for path in sorted(folder.glob("*--audit"))}
