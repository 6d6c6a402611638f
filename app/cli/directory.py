# SPDX-License-Identifier: Apache-2.0
"""`tallygate directory`: what an operator does for the directory. As the directory's user, or root acting as it."""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from directory.slapd import Right
from directory.systems import Doing

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..wiring import directory as wiring
from ..wiring import preserving
from . import options

_MOMENTS = ["%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@click.group
def directory() -> None:
    """Look after the directory."""


@directory.command
@options.site
@click.option("--execute", is_flag=True, help="Do it; without this it is only told.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the grants; a year from now otherwise.")
def migrate(configuration: Path, until: datetime | None, execute: bool) -> None:  # noqa: FBT001 - click passes by name
    """Bring a directory of an earlier release forward. The site must be running."""
    lines = wiring.bring_forward(_context(configuration), until=until.date() if until else None, execute=execute)
    for line in lines:
        click.echo(line)
    if lines and not execute:
        click.echo("Nothing was changed. Repeat with --execute.")
    elif not lines:
        click.echo("Nothing to do.")


@directory.command
@options.site
@click.option("--mend", is_flag=True, help="Put right what differs, each with its record.")
def check(configuration: Path, mend: bool) -> None:  # noqa: FBT001 - as above
    """Find memberships that do not follow from posts and grants, and duties that are not kept apart; exit 1 if any."""
    lines = wiring.check(_context(configuration), mend=mend)
    for line in lines:
        click.echo(line)
    click.echo(f"{len(lines)} found.")
    sys.exit(1 if lines and not mend else 0)


@directory.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.site
def enter(file: Path, configuration: Path) -> None:
    """Enter everything in FILE, .csv or .ldif, of any length; exit 1 if a line was refused. The site must be running.

    After a crash the same file is given again: what is there already is passed over.
    """
    context = _context(configuration)
    with file.open("rb") as opened:
        done = wiring.enter_file(
            context,
            opened,
            file.suffix.lower().removeprefix("."),
            refuse=lambda each: click.echo(f"line {each.line}{each.field and f', {each.field}'}: {each.why}"),
            tell=lambda course: click.echo(f"{course.entered} entered", err=True),
        )
    click.echo(f"{done.entered} entered, {done.there} were there already, {done.refused} refused.")
    sys.exit(1 if done.refused else 0)


@directory.command
@options.site
def compare(configuration: Path) -> None:
    """Hold the whole directory against what the record says; exit 1 if they differ. The site must be running."""
    lines = wiring.compare(_context(configuration))
    _tell(lines)
    click.echo(f"{len(lines)} differences." if lines else "The directory is what the record says.")
    sys.exit(1 if lines else 0)


@directory.command
@click.argument("corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.site
def breaches(corpus: Path, configuration: Path) -> None:
    """Refuse passwords that stand in CORPUS: text, one SHA-1 or SHA-256 in hexadecimal per line, ascending."""
    count = wiring.install_breaches(_context(configuration), corpus)
    click.echo(f"{count} breached passwords are refused from now on.")


@directory.command
@options.site
@click.option("--undo", type=click.IntRange(min=1), help="The number of the change to be undone; recorded.")
def unrecorded(configuration: Path, undo: int | None) -> None:
    """Tell what changed the directory without a record, and what would undo it; or undo one of them."""
    lines = wiring.unrecorded(_context(configuration), undo=undo)
    _tell(lines or ["Every change that the server noted has its record."])


@directory.command("second-again")
@options.site
def second_again(configuration: Path) -> None:
    """Let the second provider begin again as a copy of the first one; the site must be stopped."""
    context = _context(configuration)
    with holding.alone(configuration):
        wiring.begin_second_again(context)
    click.echo("The second provider is copied from the first one at the next start.")


@directory.command("backup-keys")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def backup_keys(folder: Path) -> None:
    """Make the keys of backups in FOLDER; take backup.private off the site, it is needed only for coming back."""
    click.echo(f"backup.public and backup.private made, fingerprint {preserving.found_keys(folder)}.")


@directory.command
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@options.site
@click.option("--key", "public", type=options.SITE_FILE, required=True, help="backup.public.")
def backup(folder: Path, configuration: Path, public: Path) -> None:
    """Keep the directory in a new folder in FOLDER, sealed, while the site runs; read again before it counts."""
    made = preserving.backup(_context(configuration), folder, public)
    click.echo(f"{made.folder}: {made.entries} entries, {made.changes} changes, sealed to {made.recipient}.")


@directory.command
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.site
@click.option("--key", "private", type=options.SITE_FILE, required=True, help="backup.private.")
@click.option("--at", "at", type=click.DateTime(_MOMENTS), help="The moment, in UTC; the last known one without this.")
@click.option("--preview", is_flag=True, help="Only tell what would change; the site may run.")
def restore(folder: Path, configuration: Path, private: Path, *, at: datetime | None, preview: bool) -> None:
    """Bring the directory back as it was at a moment, from the backup FOLDER; the site must be stopped."""
    context, moment = _context(configuration), at.replace(tzinfo=UTC) if at else None
    if preview:
        found = preserving.restore(context, folder, private, at=moment)
    else:
        with holding.alone(configuration):
            recording = partial(holding.log_alone, context)
            found = preserving.restore(context, folder, private, at=moment, recording=recording)
    for each in found.told:
        names = f": {' '.join(each.attributes)}" if each.attributes else ""
        click.echo(f"{each.verb} {each.dn}{names}{' (let in again)' if each.lets_in else ''}")
    click.echo(f"{found.added} added, {found.removed} removed, {found.changed} changed; {found.lets_in} let in again.")
    click.echo("Nothing was changed." if preview else f"The directory is as it was; it has {found.entries} entries.")


@directory.group
def software() -> None:
    """Portals and operating systems that read by LDAP with their certificates."""


@software.command("list")
@options.site
def listed(configuration: Path) -> None:
    """Tell who may read what, and until when."""
    _tell(wiring.software(_context(configuration)))


@software.command
@options.site
@click.option("--device", required=True, help="Identifier of the device; its certificate is who it is.")
@click.option("--right", "rights", multiple=True, type=click.Choice([str(right) for right in Right]), required=True)
@click.option("--organisation", "scopes", multiple=True, help="Only what belongs to it; everything without this.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, within a year.")
@click.option("--reason", required=True)
def let(
    configuration: Path, *, device: str, rights: tuple[str, ...], scopes: tuple[str, ...], until: datetime, reason: str
) -> None:
    """Let a device read exactly this, whatever it was let read before. The site must be running."""
    _tell(
        wiring.software(
            _context(configuration),
            lambda them: them.let(device, rights, scopes, until=until.date(), actor="", reason=reason),
        )
    )


@software.command
@options.site
@click.option("--device", required=True, help="The identity that goes.")
@click.option("--to", "new", required=True, help="The identity that comes.")
@click.option("--last", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day of the one that goes.")
@click.option("--reason", required=True)
def rotate(configuration: Path, device: str, new: str, last: datetime, reason: str) -> None:
    """Give another identity the rights of one that goes; both read until the last day."""
    _tell(
        wiring.software(
            _context(configuration), lambda them: them.rotate(device, new, last=last.date(), actor="", reason=reason)
        )
    )


@software.command
@options.site
@click.option("--device", required=True, help="Identifier of the device.")
@click.option("--reason", required=True)
def close(configuration: Path, device: str, reason: str) -> None:
    """Take every right of a device; bites at once."""
    _tell(wiring.software(_context(configuration), lambda them: them.close(device, actor="", reason=reason)))


@directory.group
def programs() -> None:
    """Programs that keep a part of the directory by SCIM, with tokens of their own."""


@programs.command("list")
@options.site
def programs_listed(configuration: Path) -> None:
    """Tell which program may do what, where, and until when."""
    _tell(wiring.programs(_context(configuration)))


@programs.command("let")
@options.site
@click.option("--client", required=True, help="Identifier that the sign-on gave the program.")
@click.option("--do", "doings", multiple=True, type=click.Choice([str(each) for each in Doing]), required=True)
@click.option("--organisation", "organisations", multiple=True, required=True, help="With everything below it.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, within a year.")
@click.option("--reason", required=True)
def let_program(
    configuration: Path,
    *,
    client: str,
    doings: tuple[str, ...],
    organisations: tuple[str, ...],
    until: datetime,
    reason: str,
) -> None:
    """Let a program do exactly this, whatever it was let do before."""
    _tell(
        wiring.programs(
            _context(configuration),
            lambda them: them.let(
                client, organisations=organisations, doings=doings, until=until.date(), actor="", reason=reason
            ),
        )
    )


@programs.command("end")
@options.site
@click.option("--client", required=True, help="Identifier that the sign-on gave the program.")
@click.option("--reason", required=True)
def end_program(configuration: Path, client: str, reason: str) -> None:
    """Let a program do nothing any more; its next request is refused."""
    _tell(wiring.programs(_context(configuration), lambda them: them.end(client, actor="", reason=reason)))


def _tell(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)


def _context(configuration: Path) -> Context:
    context = Context.read(configuration)
    if not holding.is_born(context.site):
        raise NotBorn
    return context
