# SPDX-License-Identifier: Apache-2.0
"""Bring a site to life, run it, fill it, examine it.

Each command loads what it needs: a birth knows all roles, an examination none.
"""
# ruff: noqa: PLC0415 - see above

import sys
from pathlib import Path

import click

from core.log import configure

from .. import holding, settings
from ..context import Context
from . import options


@click.command
@options.site
@click.option("--renew-processes", is_flag=True, help="Renew what ran out while the site was off; roles stopped.")
@click.option("--unless-born", is_flag=True, help="Where the site exists already, only see to its owners.")
def init(configuration: Path, renew_processes: bool, unless_born: bool) -> None:  # noqa: FBT001 - click passes by name
    """Bring a site to life, or its processes back."""
    from .. import birth

    context = Context.read(configuration)
    settings.check(context)
    if unless_born and holding.is_born(context.site):
        birth.refresh(context)
        return
    with holding.alone(configuration):
        (birth.renew_processes if renew_processes else birth.init)(context, click.echo)


@click.command
@options.site
@click.option("--preview", is_flag=True, help="Only say what it would do.")
def upgrade(configuration: Path, preview: bool) -> None:  # noqa: FBT001 - as above
    """Give a site of an earlier release what it lacks; roles stopped. Can be repeated."""
    from .. import upgrading

    context = Context.read(configuration)
    settings.check(context)
    with holding.alone(configuration):
        upgrading.upgrade(context, click.echo, preview=preview)


@click.command
@click.option("--site", "configuration", type=options.SITE_FILE, help="An existing site.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Folder for a new sample city.")
@click.option("--without-demo", is_flag=True, help="Do not fill the sample city.")
def up(configuration: Path | None, state: Path | None, without_demo: bool) -> None:  # noqa: FBT001 - as above
    """Start everything on this machine; Ctrl-C stops it."""
    from .. import up as running

    configure("supervisor")
    running.up(configuration=configuration, state=state, with_demo=not without_demo, say=click.echo)


@click.command
@options.site
def demo(configuration: Path) -> None:
    """Fill the sample city of a running site."""
    from .. import demo as sample

    sample.fill(Context.read(configuration), click.echo)


@click.command(hidden=True)
@options.site
def demo_people(configuration: Path) -> None:
    """The part of demo that runs as the directory's user."""
    from .. import demo as sample

    sample.fill_people(Context.read(configuration))


@click.command
@options.site
def doctor(configuration: Path) -> None:
    """Check the site and explain in words what is wrong; exit 1 if anything is."""
    from ..doctor import examine

    findings = examine(Context.read(configuration))
    for finding in findings:
        click.echo(f"{'ok   ' if finding.good else 'WRONG'} {finding.subject}: {finding.says}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)
