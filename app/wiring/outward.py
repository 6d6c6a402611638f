# SPDX-License-Identifier: Apache-2.0
"""Composes what leaves the record: targets, signed exports, and the desk at which officers look after them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from audit.config import AuditSettings, ExportTarget
from audit.exports import EVERY, ExportDesk, Exporter, ExportStore, PublishedSource, SignedExports, peer_of
from audit.models import Recorder
from audit.published import PublishedLog
from audit.reader import LogReader
from audit.watch import Duty
from core.errors import TallygateError

from ..context import Context
from .lineage import every_reader, log_key, past


def export_store(context: Context) -> ExportStore:
    """Where every target stands."""
    return ExportStore.open(context.site.folder("audit") / "exports.db")


def signed_store(context: Context, number: int) -> ExportStore:
    """What was signed of one log: a successor begins a chain of its own."""
    name = "exports.db" if number == 1 else f"exports-{number}.db"
    return ExportStore.open(context.site.folder("audit") / name)


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
        series=[(each.base, signed_store(context, number)) for number, each in enumerate(every_reader(context), 1)],
    )


def export_duties(context: Context, reader: LogReader, log: PublishedLog) -> list[Duty]:
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
        # A closed log's rest first: nothing of it is left out.
        series = [
            SignedExports(
                signed_folder(context),
                reader=each.reader,
                key=log_key(context, number),
                store=signed_store(context, number),
                recorder=recorder,
                clock=context.clock,
            )
            for number, each in enumerate(every_reader(context), 1)
        ]
        found.append(
            Duty(name="signed export", every=settings.signed_exports, act=lambda _stopped: make_signed(series))
        )
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


def make_signed(series: Sequence[SignedExports]) -> None:
    """One file of each log that has something new; one that fails holds up no other.

    Raises:
        TallygateError: the first failure, after all were tried.
    """
    failed: list[TallygateError] = []
    for each in series:
        try:
            each.make()
        except TallygateError as error:
            failed.append(error)
    if failed:
        raise failed[0]
