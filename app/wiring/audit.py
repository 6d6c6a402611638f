# SPDX-License-Identifier: Apache-2.0
"""Composes the officers' console of the role ``audit``; ``recording`` is its log's writer, ``watching`` its duties."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from flask import Flask

from audit.client import RecorderClient
from audit.config import AuditSettings
from audit.console import (
    Console,
    Evidencing,
    Histories,
    IndexCounting,
    Mirroring,
    Overview,
    SavedSearches,
    Stories,
    Views,
)
from audit.intake import Intake
from audit.reader import LogReader
from audit.search import Vocabulary
from audit.search.words import told
from audit.stamps import StampSeries
from audit.store import IndexChecked
from audit.warrants import WarrantStore
from audit.web import (
    TRANSLATIONS,
    Pages,
    alerting,
    blueprint,
    casework,
    changing,
    complying,
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
    switching,
    taking,
    telling,
    warranting,
    witnessing,
)
from audit.witness import STATUS, Witness, WitnessStatus, WitnessStore
from core.web import chinese_words
from policies.web import TRANSLATIONS as POLICY_WORDS

from ..context import Context
from . import alerts, policing, warrants
from . import casework as casing
from . import evidence as making
from .complying import on_paper, standards
from .lineage import (
    mirror_secrets,
    tiles,
    trust_root_file,
)
from .outward import export_desk, export_standing, signed_folder
from .recording import witness_key
from .watching import reading_of, retention_of, stampers, stamps_of

RECORDING = ("app", "directory", "ca", "sso", "signatures", "gateway")
"""Roles that record, and may therefore call."""


def application(context: Context) -> Flask:
    """The officers' console, the public log, and what other roles may read."""
    folder, opened = context.site.folder("audit"), reading_of(context)
    recorder = context.recorder("audit")
    asked = context.witness_policy("witness_policy") is not None
    cases = casing.opened_cases(context, opened, recorder, WarrantStore.open(folder / "warrants.db"))
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
    stamps = stamps_of(context)
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
        switching(consents.switchboard(console), assurance=assurance),
        reading(console, searches=searches, assurance=assurance),
        changing(Histories(console, index=opened.index, log=opened.log)),
        saving(searches, assurance=assurance),
        overseeing(console, overview=overview, views=views, assurance=assurance),
        telling(Stories(console, index=opened.index), assurance=assurance),
        casework(
            console,
            cases=cases,
            terms=casing.terms(context),
            paper=casing.on_paper(context),
            clock=context.clock,
            assurance=assurance,
        ),
        public(console, known=lambda: trust_root_file(context)),
        mirrored(
            console,
            Mirroring(console, opened.log),
            secrets=mirror_secrets(context),
            known=lambda: trust_root_file(context),
        ),
        witnessing(console, witness=witness, assurance=assurance),
        stamping(console, stamps=stamps, clock=context.clock, assurance=assurance),
        complying(
            console,
            standards=lambda: standards(context, opened),
            paper=lambda found: on_paper(context, found),
            assurance=assurance,
        ),
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
        blueprints=[blueprint(guard, parts), policing.pages(context, guard, console, assurance=assurance)],
        translations=[TRANSLATIONS, POLICY_WORDS],
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


def _stamped(context: Context, stamps: StampSeries | None) -> dict[str, int]:
    """What a probe tells of the stamps: whether they fail, and how old the last one is."""
    if stamps is None:
        return {}
    last, failing = stamps.last(), stamps.outage() is not None
    if last is None:
        return {"stamp_failing": int(failing)}
    age = max(0, int((context.clock.now() - last.stamp.kept).total_seconds()))
    return {"stamp_failing": int(failing), "stamp_age_seconds": age}


def _status(folder: Path) -> WitnessStatus:
    """How the log's process says the witnesses stand; before it has asked, nobody has cosigned."""
    try:
        said = WitnessStatus.decode((folder / "log" / "private" / STATUS).read_bytes())
    except OSError:
        said = None
    return said or WitnessStatus.unknown()
