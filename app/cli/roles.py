# SPDX-License-Identifier: Apache-2.0
"""`tallygate serve`: what every process of a site begins with."""

from pathlib import Path

import click

from .. import serve as serving
from . import options


@click.command
@click.argument("role")
@options.site
def serve(role: str, configuration: Path) -> None:
    """Run one role as its own process."""
    serving.serve(role, configuration.resolve())
