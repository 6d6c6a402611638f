# SPDX-License-Identifier: Apache-2.0
"""``tallygate ca ...``: the operator on the machine asks the running role; nothing here opens a key or a table."""

from collections.abc import Callable
from pathlib import Path

import click

from .client import CAClient
from .models import Certificate, IssueRequest, Reason
from .x509 import PROFILES

OPERATOR = "role:app"


def group(client: Callable[[], CAClient]) -> click.Group:
    """The commands, over a client that is made when one of them runs."""

    @click.group("ca", help="Issue, suspend, release and revoke certificates.")
    def ca() -> None:
        pass

    @ca.command("issue", help="Issue a certificate for SUBJECT from the request in CSR; writes PEM to OUT.")
    @click.argument("profile", type=click.Choice(sorted(PROFILES)))
    @click.argument("subject")
    @click.argument("csr", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
    @click.option("--host", multiple=True, help="DNS name or loopback address of a server; may be repeated.")
    def issue(profile: str, subject: str, csr: Path, out: Path, host: tuple[str, ...]) -> None:
        issued = client().issue(
            IssueRequest(profile=profile, csr=csr.read_bytes(), subject=subject, actor=OPERATOR, hosts=host)
        )
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

    return ca


def line(found: Certificate) -> str:
    """One certificate on one line."""
    until = found.not_after.strftime("%Y-%m-%d")
    return f"{found.serial} {found.standing.value:15} {found.profile:17} {until} {found.subject} {found.name}"
