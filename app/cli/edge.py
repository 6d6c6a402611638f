# SPDX-License-Identifier: Apache-2.0
"""`tallygate edge`: another proxy than nginx before the guarded hosts."""

from pathlib import Path

import click

from gateway import LISTENERS

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..wiring import gateway as wiring
from . import options


@click.command
@click.argument("proxy", type=click.Choice(["caddy", "haproxy"]))
@click.option("--listener", type=click.Choice(LISTENERS), required=True, help="The zone of what arrives by it.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Where it listens; the port is the listener's.")
@options.site
def edge(proxy: str, listener: str, address: str, configuration: Path) -> None:
    """Write the configuration of a Caddy or HAProxy that asks the gateway as nginx does."""
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    folder = wiring.edge(context, proxy, listener=listener, address=address)
    click.echo(f"Written to {folder}. Put tls.crt and tls.key there, restart the role gateway, then start {proxy}.")
