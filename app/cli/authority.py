# SPDX-License-Identifier: Apache-2.0
"""`tallygate ca`: the authority's own commands, told which site they are about."""

from pathlib import Path

import click

from ca.cli import group
from ca.client import CAClient

from ..context import Context
from .options import SITE_FILE, SITE_HELP


def _authority() -> CAClient:
    configuration = click.get_current_context().find_object(Path)
    if configuration is None:
        raise click.UsageError("--site is missing")
    return CAClient(Context.read(configuration).peer("app", "ca"))


def _remember_site(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    ctx.obj = value


ca = group(_authority)
ca.params.append(
    # Demanded when it is needed, so that a command's help can be read without a site.
    click.Option(["--site"], type=SITE_FILE, expose_value=False, callback=_remember_site, help=SITE_HELP)
)
