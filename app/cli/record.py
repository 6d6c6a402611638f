# SPDX-License-Identifier: Apache-2.0
"""`tallygate audit`: what needs the site beside the record itself: exports, evidence and the log's successor."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from audit.cli import audit as audit  # noqa: PLC0414 - the group, with what is added to it here
from audit.cli import become_owner
from audit.models import Reader
from audit.reader import LogReader
from audit.verify import claims
from core.calls import Peer

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..wiring.lineage import rotate as give_successor
from ..wiring.lineage import tiles
from ..wiring.outward import export_desk
from ..wiring.watching import full_check, retention_of
from . import options

_PATIENCE = 900.0
"""Seconds: ten thousand entries take a while."""


@audit.command()
@options.site
def check(configuration: Path) -> None:
    """Check the whole record of this site as an outsider would, and put the result on it.

    Exit code 1 means: not what was signed; the first bad entry is named. The process “watch” does the same once a day.
    """
    for claim in claims(full_check(_site(configuration)).round()):
        click.echo(claim)


@audit.command()
@options.site
def exports(configuration: Path) -> None:
    """Tell how every export target stands."""
    context = _site(configuration)
    desk = export_desk(context, LogReader(tiles(context), context.log_key), context.recorder("audit"))
    for each in desk.standings():
        cursor = each.cursor
        state = (
            "paused" if cursor.paused else f"fails ({cursor.code}: {cursor.why})" if cursor.code else "takes entries"
        )
        took = datetime.fromtimestamp(cursor.taken_at, UTC).isoformat() if cursor.taken_at else "never"
        click.echo(f"{each.name}: {state}; next entry {cursor.next}, {each.behind} behind; took something last: {took}")
    for made in desk.signed():
        click.echo(f"signed: {made.name}")


@audit.command()
@options.site
@click.argument("target")
@click.option("--from", "start", type=click.IntRange(min=0), required=True, help="The first entry to be sent again.")
def replay(configuration: Path, target: str, start: int) -> None:
    """Send entries to an export target again, from one on; recorded before it is done."""
    context = _site(configuration)
    desk = export_desk(context, LogReader(tiles(context), context.log_key), context.recorder("audit"))
    desk.replay(target, start, by=Reader())
    click.echo(f"{target} is sent everything from entry {start} on again.")


@audit.command()
@options.site
@click.option("--unwitnessed", is_flag=True, help="Close the record though too few witnesses answer.")
def rotate(configuration: Path, unwitnessed: bool) -> None:  # noqa: FBT001 - click passes by name
    """Close the record and begin its successor; the site must be stopped.

    Cut off anywhere, the same command ends what was begun.
    """
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    holding.let_others_pass()
    with holding.alone(configuration):
        give_successor(context, click.echo, unwitnessed=unwitnessed)


@audit.command()
@options.site
@click.argument("index", nargs=-1, required=True, type=click.IntRange(min=0))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file.")
@click.option("--purpose", required=True, help="Which proceeding it is for; stands in the report.")
def evidence(configuration: Path, index: tuple[int, ...], output: Path, purpose: str) -> None:
    """Make one evidence file of the entries INDEX...; the making is recorded, and nothing personal is opened."""
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    secret = context.site.pair_secret(holder="app", caller="app", callee="audit")
    peer = Peer(path=context.site.socket("audit"), caller="app", secret=secret, timeout=_PATIENCE)
    try:
        size = _fetched(peer, {"indices": sorted(set(index)), "purpose": purpose}, output)
    finally:
        peer.close()
    click.echo(f"{output}: {size} bytes. Check it with verify_evidence.py, see README.txt inside.")


def _fetched(peer: Peer, wish: dict[str, object], output: Path) -> int:
    """The file, written as it comes, and how long it is; what is not whole does not stay."""
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            with peer.pieces("POST", "/api/v1/evidence", document=wish) as pieces:
                return sum(file.write(piece) for piece in pieces)
        except BaseException:
            output.unlink()
            raise


@audit.command()
@options.site
@click.option("--plan", "planned", is_flag=True, help="Only what a run would drop now.")
def retention(configuration: Path, *, planned: bool) -> None:
    """Tell how long each class is kept, what the next run will drop, and when the disk is full; looked at anew."""
    kept = retention_of(_site(configuration))
    pieces = kept.plan().pieces if planned else kept.survey().pieces
    for piece in pieces:
        click.echo(f"the next run drops {piece}")
    if not pieces:
        click.echo("the next run drops nothing")
    if planned:
        return
    view = kept.view()
    for each in view.classes:
        oldest = each.oldest.date().isoformat() if each.oldest else "nothing yet"
        click.echo(f"{each.retention.value}: {each.days} days (at least {each.least}), oldest kept: {oldest}")
    last = view.runs[0] if view.runs else None
    click.echo(f"last run that dropped or refused: {f'{last.state} {last.code}' if last else 'none'}")
    click.echo(f"next run: {view.due.isoformat() if view.due else 'as soon as the process “watch” has run once'}")
    full = view.forecast.full.isoformat() if view.forecast and view.forecast.full else "not foreseen"
    if view.survey:
        click.echo(f"used {view.survey.used // 1048576} MiB, free {view.survey.free // 1048576} MiB, full: {full}")


def _site(configuration: Path) -> Context:
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    become_owner(context.site.folder("audit"))
    return context
