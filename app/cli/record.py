# SPDX-License-Identifier: Apache-2.0
"""`tallygate audit`: what needs the site beside the record itself: where its entries leave to, and its successor."""

from datetime import UTC, datetime
from pathlib import Path

import click

from audit.cli import audit as audit  # noqa: PLC0414 - the group, with what is added to it here
from audit.cli import become_owner
from audit.models import Reader
from audit.reader import LogReader

from .. import birth, up
from ..context import Context
from ..errors import NotBorn
from ..wiring.audit import full_check
from ..wiring.lineage import rotate as give_successor
from ..wiring.lineage import tiles
from ..wiring.outward import export_desk
from . import options


@audit.command()
@options.site
def check(configuration: Path) -> None:
    """Check the whole record of this site as an outsider would, and put the result on it.

    Exit code 1 means: not what was signed; the first bad entry is named. The process “watch” does the same once a day.
    """
    report = full_check(_site(configuration)).round()
    click.echo(f"{report.origin}: {report.size} entries, {report.tiles} tiles: all as signed")


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
    if not birth.is_born(context.site):
        raise NotBorn
    birth.let_others_pass()
    with up.alone(configuration):
        give_successor(context, click.echo, unwitnessed=unwitnessed)


def _site(configuration: Path) -> Context:
    context = Context.read(configuration)
    if not birth.is_born(context.site):
        raise NotBorn
    become_owner(context.site.folder("audit"))
    return context
