# SPDX-License-Identifier: Apache-2.0
"""`tallygate edge` and `tallygate gateway`: another proxy than nginx before the hosts, and the key they believe."""

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


@click.group(name="gateway")
def gateway() -> None:
    """Look after the gateway."""


@gateway.command(name="rotate-key")
@options.site
@click.option("--at-once", is_flag=True, help="It signs within seconds and the old one ends: that one may be known.")
def rotate_key(configuration: Path, *, at_once: bool) -> None:
    """Make a new key for the identity header; a running gateway announces it, signs with it, and lets go of the old."""
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    kid = wiring.rotate_key(context, at_once=at_once)
    click.echo(f"{kid} is announced; a running gateway goes on by itself.")
