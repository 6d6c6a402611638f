# SPDX-License-Identifier: Apache-2.0
"""`tallygate switches`: what is shut now in an emergency, for an operator whose console does not answer."""

from pathlib import Path

import click

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..wiring import switches as wiring
from . import options


@click.command
@options.site
def switches(configuration: Path) -> None:
    """Tell what two officers have shut in an emergency. Shut and opened it is in the audit console alone."""
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    for each in wiring.standing(context):
        changing = f", {each['changing']}" if each["changing"] else ""
        click.echo(
            f"{each['name']}: since {each['since']}, until {each['until']}{changing};"
            f" consent {each['warrant']}, thrown by {each['by']}, approved by {each['decider']}"
        )
