# SPDX-License-Identifier: Apache-2.0
"""`tallygate compliance`: what the running site has as evidence, on paper or for a program."""

import base64
import json
from functools import partial
from pathlib import Path

import click

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..files import replace
from ..users import Users
from ..wiring.complying import examined_by_operator
from . import options


@click.command
@options.site
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here, in both languages")
@click.option("--json", "as_json", is_flag=True, help="Print every clause with its evidence.")
def compliance(configuration: Path, pdf: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show clause by clause what this running site has as evidence; that you looked is recorded first.

    Without an option one line for each clause. Exit code 1 means: something is not so.
    """
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    done = Users.detect().acting("audit", partial(examined_by_operator, context, paper=pdf is not None))
    said = json.loads(done)
    if pdf is not None:
        replace(pdf, base64.b64decode(said["paper"]))
    if as_json:
        click.echo(json.dumps(said["rows"], ensure_ascii=False, indent=1))
    else:
        for row in said["rows"]:
            click.echo(f"{row['standard'].split(',')[0]} {row['clause']}: {row['found']}: {row['asks']}")
    raise SystemExit(1 if any(row["found"] == "not so" for row in said["rows"]) else 0)
