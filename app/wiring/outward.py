# SPDX-License-Identifier: Apache-2.0
"""Composes what leaves the record: targets, signed exports, and the desk at which officers look after them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from audit.config import AuditSettings, ExportTarget
from audit.exports import EVERY, ExportDesk, Exporter, ExportStore, PublishedSource, SignedExports, peer_of
from audit.merkle import LogKey
from audit.models import Recorder
from audit.published import PublishedLog
from audit.reader import LogReader
from audit.watch import Duty

from ..context import Context
from .lineage import past, present


def export_store(context: Context) -> ExportStore:
    """Where every target stands."""
    return ExportStore.open(context.site.folder("audit") / "exports.db")


def signed_store(context: Context) -> ExportStore:
    """What was signed of the present log: a successor begins a chain of its own."""
    number = present(context)
    return (
        export_store(context)
        if number == 1
        else ExportStore.open(context.site.folder("audit") / f"exports-{number}.db")
    )


def signed_folder(context: Context) -> Path:
    """Where signed exports lie."""
    return context.settings("audit", AuditSettings).signed_export_folder or context.site.folder("audit") / "exports"


def export_desk(context: Context, reader: LogReader, recorder: Recorder) -> ExportDesk:
    """What officers and operators do to targets."""
    return ExportDesk(
        context.settings("audit", AuditSettings).exports,
        store=export_store(context),
        size=PublishedSource(reader, past(context)).size,
        recorder=recorder,
        clock=context.clock,
    )


def export_duties(context: Context, reader: LogReader, log: PublishedLog, key: LogKey) -> list[Duty]:
    """One for each target, so that a slow one holds up itself alone, and one for signed exports."""
    settings = context.settings("audit", AuditSettings)
    if not settings.exports and settings.signed_exports is None:
        return []
    store, recorder = export_store(context), context.recorder("audit")
    exporter = partial(
        Exporter,
        source=PublishedSource(reader, past(context)),
        store=store,
        recorder=recorder,
        clock=context.clock,
        unseal=log.unseal,
    )
    found = [_duty(context, name, target, exporter) for name, target in settings.exports.items()]
    if settings.signed_exports is not None:
        signed = SignedExports(
            signed_folder(context),
            reader=reader,
            key=key,
            store=signed_store(context),
            recorder=recorder,
            clock=context.clock,
        )
        found.append(Duty(name="signed export", every=settings.signed_exports, act=lambda _stopped: _make(signed)))
    return found


def export_standing(desk: ExportDesk) -> dict[str, int]:
    """What a probe tells: how many targets fail, and how far the last one is behind."""
    standings = desk.standings()
    if not standings:
        return {}
    failing = sum(1 for each in standings if each.cursor.code and not each.cursor.paused)
    return {"exports_failing": failing, "exports_behind": max(each.behind for each in standings)}


def _duty(context: Context, name: str, target: ExportTarget, exporter: Callable[..., Exporter]) -> Duty:
    settings = context.settings("audit", AuditSettings)
    made = exporter(
        name,
        target,
        peer=lambda: peer_of(
            target, clock=context.clock, enterprise=settings.enterprise_number, private=settings.export_private
        ),
    )
    return Duty(name=f"export {name}", every=EVERY, act=lambda stopped: made.round(lambda: bool(stopped)))


def _make(signed: SignedExports) -> None:
    signed.make()
