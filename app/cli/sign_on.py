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


@sso.command(name="rotate-keys")
@options.site
def rotate_keys(configuration: Path) -> None:
    """Make a new key for tokens; it signs from the role's next start, and the old one is still believed."""
    context = Context.read(configuration)
    if not birth.is_born(context.site):
        raise NotBorn
    keys = wiring.rotate(context)
    click.echo(f"{keys} keys are published. Restart the role sso to sign with the new one.")
