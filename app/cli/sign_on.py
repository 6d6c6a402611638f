# SPDX-License-Identifier: Apache-2.0
"""`tallygate sso`: what an operator does for the sign-on."""

from pathlib import Path

import click

from .. import birth
from ..context import Context
from ..errors import NotBorn
from ..wiring import sso as wiring
from . import options


@click.group
def sso() -> None:
    """Look after the sign-on."""


@sso.command
@options.site
@click.option("--agency", required=True, help="Whose applications know a person by one identifier: a short label.")
@click.option("--scope", "scopes", multiple=True, help="What they may ask for; openid and profile if none is named.")
@click.option("--uses", type=click.IntRange(1, 100), default=1, show_default=True, help="How many may be registered.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How long that counts.")
def invite(configuration: Path, agency: str, scopes: tuple[str, ...], uses: int, days: int) -> None:
    """Let an agency's programs register themselves; prints the token that they need."""
    context = Context.read(configuration)
    if not birth.is_born(context.site):
        raise NotBorn
    wanted = frozenset(scopes) or frozenset({"openid", "profile"})
    click.echo(wiring.invite(context, sector=agency, scopes=wanted, uses=uses, days=days))


@sso.command(name="rotate-keys")
@options.site
def rotate_keys(configuration: Path) -> None:
    """Make a new key for tokens; it signs from the role's next start, and the old one is still believed."""
    context = Context.read(configuration)
    if not birth.is_born(context.site):
        raise NotBorn
    keys = wiring.rotate(context)
    click.echo(f"{keys} keys are published. Restart the role sso to sign with the new one.")
