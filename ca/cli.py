# SPDX-License-Identifier: Apache-2.0
"""``tallygate ca ...``: the operator on the machine asks the running role, or holds a ceremony of the root's key."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TextIO

import click

from audit import Recorder
from core.errors import N_

from .ceremony import Place, hold, read_script, rehearse
from .client import CAClient
from .errors import ScriptRefused
from .models import Certificate, IssueRequest, Reason
from .x509 import PROFILES

OPERATOR = "role:app"


class Hall(Protocol):
    """Where ceremonies are held: the site, its settings, and its record while one is held."""

    def place(self, shares: Callable[[], list[str]], shares_to: Path | None) -> Place:
        """The site."""
        ...

    def recording(self) -> AbstractContextManager[Recorder]:
        """The record, whether or not the site is running."""
        ...


def group(client: Callable[[], CAClient], hall: Callable[[], Hall]) -> click.Group:
    """The commands, over a client or a hall that is made when one of them runs."""

    @click.group("ca", help="Issue, suspend, release and revoke certificates.")
    def ca() -> None:
        pass

    @ca.command("issue", help="Issue a certificate for SUBJECT from the request in CSR; writes PEM to OUT.")
    @click.argument("profile", type=click.Choice(sorted(PROFILES)))
    @click.argument("subject")
    @click.argument("csr", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
    @click.option("--host", multiple=True, help="DNS name or loopback address of a server; may be repeated.")
    @click.option("--organisation", default="", help="For whom a representative acts.")
    def issue(profile: str, subject: str, csr: Path, *, out: Path, host: tuple[str, ...], organisation: str) -> None:
        wish = IssueRequest(
            profile=profile,
            csr=csr.read_bytes(),
            subject=subject,
            actor=OPERATOR,
            hosts=host,
            organisation=organisation,
        )
        issued = client().issue(wish)
        out.write_bytes(issued.certificate + issued.chain)
        click.echo(issued.serial)

    @ca.command("show", help="Show one certificate by serial, or all of a subject.")
    @click.argument("serial_or_subject")
    def show(serial_or_subject: str) -> None:
        if "-" in serial_or_subject:
            for found in client().certificates(serial_or_subject):
                click.echo(line(found))
        else:
            click.echo(line(client().certificate(serial_or_subject)))

    @ca.command("suspend", help="Make a certificate worthless until it is released.")
    @click.argument("serial")
    def suspend(serial: str) -> None:
        client().suspend(serial, actor=OPERATOR)

    @ca.command("release", help="End a suspension.")
    @click.argument("serial")
    def release(serial: str) -> None:
        client().release(serial, actor=OPERATOR)

    @ca.command("revoke", help="End a certificate for good.")
    @click.argument("serial")
    @click.option("--reason", type=click.Choice([each.value for each in Reason]), default=Reason.UNSPECIFIED.value)
    def revoke(serial: str, reason: str) -> None:
        client().revoke(serial, reason=Reason(reason), actor=OPERATOR)

    ca.add_command(_ceremony(hall))
    return ca


def _ceremony(hall: Callable[[], Hall]) -> click.Command:
    @click.command("ceremony")
    @click.argument("script", metavar="FILE.toml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--hold", "reviewed", metavar="SHA256", help="Do it: the hash of the reviewed file.")
    @click.option("--share", "files", multiple=True, type=click.File(), help="A custodian's; else they are asked for.")
    @click.option("--shares-to", type=click.Path(file_okay=False, path_type=Path), help="Empty folder for new shares.")
    @click.option("--transcript", type=click.Path(dir_okay=False, path_type=Path), help="Default: beside the file.")
    def ceremony(
        script: Path, reviewed: str | None, files: tuple[TextIO, ...], shares_to: Path | None, transcript: Path | None
    ) -> None:
        """Hold the key ceremony that FILE.toml describes. Without --hold it is a rehearsal, and nothing is kept."""
        read, digest = read_script(script)
        there = hall()
        place = there.place(lambda: [each.read() for each in files] or _asked_for(), shares_to)
        if reviewed is None:
            click.echo(str(rehearse(read, digest, place)), nl=False)
            click.echo(f"\nTo hold it: --hold {digest}")
            return
        if reviewed.lower() != digest:
            raise ScriptRefused(why=N_("the file is not the one that was reviewed"))
        kept = transcript or script.with_suffix(".transcript")
        kept.touch(exist_ok=False)
        try:
            with there.recording() as recorder:
                said = str(hold(read, digest, place, recorder))
        except BaseException:
            kept.unlink()
            raise
        kept.write_text(said, "utf-8")
        click.echo(said, nl=False)

    return ceremony


def _asked_for() -> list[str]:
    """What custodians type, one after the other, unseen; an empty line ends it."""
    shares: list[str] = []
    while said := click.prompt(f"Share {len(shares) + 1}", default="", hide_input=True, show_default=False):
        shares.append(said)
    return shares


def line(found: Certificate) -> str:
    """One certificate on one line."""
    until = found.not_after.strftime("%Y-%m-%d")
    return f"{found.serial} {found.standing.value:15} {found.profile:17} {until} {found.subject} {found.name}"
