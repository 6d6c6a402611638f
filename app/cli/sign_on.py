# SPDX-License-Identifier: Apache-2.0
"""`tallygate sso`: what an operator does for the sign-on."""

from pathlib import Path

import click

from .. import assessed, holding
from ..context import Context
from ..errors import NotBorn
from ..wiring import registering as wiring
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
    wanted = frozenset(scopes) or frozenset({"openid", "profile"})
    click.echo(wiring.invite(_context(configuration), sector=agency, scopes=wanted, uses=uses, days=days))


@sso.command
@options.site
@click.option("--write", is_flag=True, help="Bring them into the site's file, after the difference was shown.")
@click.option("--yes", is_flag=True, help="Do not ask whether to.")
def portals(configuration: Path, *, write: bool, yes: bool) -> None:
    """Print the host's section of each portal that was granted with a security assessment, for the site's file.

    Roles take the file up when they are started again.
    """
    sections = wiring.assessed_portals(_context(configuration))
    if not write:
        for section in sections:
            click.echo(f"{section}\n")
        return
    before = configuration.read_text("utf-8")
    after = assessed.entered(before, sections)
    if after == before:
        click.echo("Everything that was granted stands in the file.")
        return
    click.echo(assessed.difference(before, after))
    if yes or click.confirm("Write this?"):
        assessed.write(configuration, before, after)
        click.echo("Written. Restart the roles to be held to it.")


@sso.group
def program() -> None:
    """Programs in their own name: at the directory by SCIM, or where documents are verified and sealed."""


@program.command
@options.site
@click.option("--name", required=True, help="Its identifier: a short lower-case label.")
@click.option("--title", required=True, help="What pages call it.")
@click.option("--title-zh", default="", help="The same in Chinese.")
@click.option(
    "--keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Its public keys as a JWK set; it proves itself with the private ones (RFC 7523).",
)
@click.option("--at", type=click.Choice(["directory", "sign"]), default="directory", show_default=True)
def enter(configuration: Path, *, name: str, title: str, title_zh: str, keys: Path, at: str) -> None:
    """Register a program, or give it other keys.

    What it may do, `tallygate directory programs let` and `tallygate agencies let` say.
    """
    known = {"title": title, "title_zh": title_zh or title}
    wiring.program(_context(configuration), name, keys=keys.read_bytes(), at=at, **known)
    click.echo(f"{name} may ask for tokens at the sign-on.")


@program.command
@options.site
@click.option("--name", required=True)
def remove(configuration: Path, name: str) -> None:
    """Remove a program; its tokens are over within a second."""
    wiring.end_program(_context(configuration), name)
    click.echo(f"{name} is removed.")


@sso.command(name="rotate-keys")
@options.site
def rotate_keys(configuration: Path) -> None:
    """Make a new key for tokens; it signs from the role's next start, and the old one is still believed."""
    keys = wiring.rotate(_context(configuration))
    click.echo(f"{keys} keys are published. Restart the role sso to sign with the new one.")


def _context(configuration: Path) -> Context:
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    return context
