# SPDX-License-Identifier: Apache-2.0
"""``tallygate ca ...``: the operator on the machine asks the running role, or holds a ceremony of the root's key."""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

import click
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from audit import Recorder
from core.errors import N_

from .ceremony import Place, hold, read_script, rehearse
from .client import CAClient
from .errors import ScriptRefused
from .models import Certificate, IssueRequest, Reason
from .registration.bulk import OFFERED, LineState, read_folder, table_of
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
    @click.option("--break-glass", "exception", default="", help="Why without officers; no names, the record shows it.")
    def issue(
        profile: str, subject: str, csr: Path, *, out: Path, host: tuple[str, ...], organisation: str, exception: str
    ) -> None:
        wish = IssueRequest(
            profile=profile,
            csr=csr.read_bytes(),
            subject=subject,
            actor=OPERATOR,
            hosts=host,
            organisation=organisation,
            exception=exception,
        )
        issued = client().issue(wish)
        out.write_bytes(issued.certificate + issued.chain)
        click.echo(issued.serial)

    @ca.command("enrol", help="Have officers look at the devices in FILE.csv, or tell what became of a table.")
    @click.argument(
        "table", metavar="[FILE.csv]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
    )
    @click.option("--profile", type=click.Choice(OFFERED), default=OFFERED[0], show_default=True)
    @click.option("--reference", default="", help="Where the papers of these devices are on file.")
    @click.option("--job", default="", help="A table that was sent before, by the identifier that was printed.")
    @click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what became of it here.")
    @click.option("--certificates", type=click.Path(dir_okay=False, path_type=Path), help="Write what was issued here.")
    def enrol(
        table: Path | None,
        *,
        profile: str,
        reference: str,
        job: str,
        report: Path | None,
        certificates: Path | None,
    ) -> None:
        if (table is None) == (not job):
            raise click.UsageError("name either a table or --job")
        if table is not None:
            if not reference:
                raise click.UsageError("--reference is missing")
            sent = table_of(read_folder(table))
            found = client().send_table(sent, profile=profile, name=table.name, reference=reference)
        else:
            found = client().table(job)
        click.echo(told(found))
        if report is not None:
            report.write_bytes(client().table_report(found["id"]))
        if certificates is not None:
            certificates.write_bytes(client().table_certificates(found["id"]))

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

    @ca.command("block-key", help="Never certify a key again, and revoke what was made for it. KEY: a file or SHA-256.")
    @click.argument("key")
    def block_key(key: str) -> None:
        revoked, made = client().block(_key_hash(key), actor=OPERATOR)
        click.echo(f"{revoked} revoked")
        for found in made:
            click.echo(line(found))

    ca.add_command(_check(client))
    ca.add_command(_ceremony(hall))
    ca.add_command(_incident(client))
    return ca


def _check(client: Callable[[], CAClient]) -> click.Command:
    @click.command("check", help="Check everything that was ever issued, and say what is wrong; exit 1 if anything is.")
    def check() -> None:
        asked = client()
        checked, ended = asked.check(begin=True)
        while not ended:
            some, ended = asked.check()
            checked += some
        click.echo(f"{checked} checked")
        after, wrong = 0, 0
        while True:
            found, after = asked.findings(after)
            for code, about, detail in found:
                click.echo(f"{code:18} {about} {detail}".rstrip())
            wrong += len(found)
            if not after:
                break
        click.echo(f"{wrong} wrong" if wrong else "nothing is wrong")
        if wrong:
            raise SystemExit(1)

    return check


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


def _incident(client: Callable[[], CAClient]) -> click.Group:
    @click.group("incident", help="Revoke or renew many certificates; a preview unless told to --execute.")
    def incident() -> None:
        pass

    def selecting(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(
            (
                click.option("--profile", "profiles", multiple=True, type=click.Choice(sorted(PROFILES))),
                click.option("--issuer", "issuers", multiple=True),
                click.option("--key", "keys", multiple=True, help="SHA-256 of a subjectPublicKeyInfo, or a PEM file."),
                click.option("--holder", default="", help="Identifier of a person, device or organisation."),
                click.option("--officer", default="", help="Identifier of who issued, approved or granted."),
                click.option("--account", default="", help="ACME account, or key identifier of its grant."),
                click.option("--since", default="", help="Issued then or later; ISO 8601, UTC."),
                click.option("--until", default="", help="Issued then or before."),
                click.option("--serials", type=click.File(encoding="utf-8"), help="File with a serial on each line."),
                click.option("--explain", default="", help="What holders are told, in English."),
                click.option("--explain-zh", default="", help="The same in Chinese."),
                click.option("--execute", metavar="SHA256", help="Propose it: the digest that the preview showed."),
            )
        ):
            command = option(command)
        return command

    reasons = click.Choice([each.value for each in Reason])

    @incident.command("revoke", help="Preview the revocation of everything selected.")
    @selecting
    @click.option("--reason", type=reasons, required=True)
    def revoke(*, reason: str, execute: str | None, **given: Any) -> None:
        _open(client(), {"act": "revoke", "reason": reason}, given, execute)

    @incident.command("renew", help="Preview asking every holder of what is selected to renew at once.")
    @selecting
    @click.option("--revoke-after", default="", help="Then revoke; ISO 8601, UTC.")
    @click.option("--unrenewed-only", is_flag=True, help="Spare then what was renewed.")
    @click.option("--reason", type=reasons, default=Reason.SUPERSEDED.value)
    def renew(*, revoke_after: str, reason: str, execute: str | None, unrenewed_only: bool, **given: Any) -> None:
        plan = {"act": "renew"}
        if revoke_after:
            whom = "unrenewed" if unrenewed_only else "everybody"
            plan = {"act": "renew-then-revoke", "deadline": revoke_after, "reason": reason, "whom": whom}
        _open(client(), plan, given, execute)

    @incident.command("list", help="The newest incidents.")
    def listed() -> None:
        for each in client().incidents():
            click.echo(f"{each['id']} {each['stage']:10} {each['act']:17} {each['size']:8} {each['created']}")

    @incident.command("show", help="One incident; with --certificates its exact list.")
    @click.argument("identifier")
    @click.option("--certificates", is_flag=True)
    def show(identifier: str, *, certificates: bool) -> None:
        click.echo(_told(client().incident(identifier)))
        for each in client().incident_list(identifier) if certificates else ():
            click.echo(f"{each['serial']} {each['state']:15} {each['profile']:17} {each['subject']}")

    for verb, says in (
        ("pause", "Have it stand still."),
        ("resume", "Have it go on."),
        ("stop", "End it for good; what was done is done."),
        ("withdraw", "End it before anything is done."),
    ):
        incident.add_command(_deciding(client, verb, says))
    return incident


def _deciding(client: Callable[[], CAClient], verb: str, says: str) -> click.Command:
    @click.command(verb, help=says)
    @click.argument("identifier")
    def decide(identifier: str) -> None:
        click.echo(_told(client().decide_incident(identifier, verb)))

    return decide


def _open(client: CAClient, plan: dict[str, str], given: dict[str, Any], execute: str | None) -> None:
    serials: TextIO | None = given.pop("serials")
    document: dict[str, Any] = {
        **plan,
        "profiles": list(given["profiles"]),
        "issuers": list(given["issuers"]),
        "keys": "\n".join(Path(each).read_text("utf-8") if Path(each).is_file() else each for each in given["keys"]),
        **{name: given[name] for name in ("holder", "officer", "account", "since", "until")},
        "text": given["explain"],
        "text_zh": given["explain_zh"],
    }
    if serials is not None:
        document["serials"] = serials.read()
    found = client.preview_incident(document)
    click.echo(_told(found))
    if execute is None:
        click.echo(f"\nNothing was done. To propose it to an officer: --execute {found['digest']}")
        return
    if execute.lower() != found["digest"]:
        client.decide_incident(found["id"], "withdraw", {"why": "another list than was looked at"})
        raise click.ClickException("the selection is not the one that was looked at; nothing was done")
    client.decide_incident(found["id"], "propose", {"digest": found["digest"]})
    click.echo("\nProposed. It begins as soon as a registration officer has agreed to this digest at the desk.")


def _told(found: dict[str, Any]) -> str:
    """An incident in a few lines."""
    lines = [f"{found['id']} {found['stage']}", f"act {found['act']}, reason {found['reason']}"]
    if found["deadline"]:
        lines.append(f"deadline {found['deadline']}, then {found['whom']}")
    lines.append(f"selected {found['selector']}")
    lines.append(
        f"certificates {found['size']}, possibly issued {found['possibly_issued']}, unknown {found['unknown']}"
    )
    lines += [f"by {name[:-1]} {found[name]}" for name in ("profiles", "issuers", "kinds")]
    lines += [f"progress {found['progress']}", f"explanation {found['explanation']}", f"digest {found['digest']}"]
    return "\n".join(lines)


def _key_hash(named: str) -> str:
    """The SHA-256 of a subjectPublicKeyInfo: as it was given, or of a certificate, request or public key in PEM."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}", named, re.ASCII):
        return named.lower()
    try:
        content = Path(named).read_bytes()
    except OSError as error:
        raise click.UsageError("KEY is neither a file that can be read nor 64 hexadecimal digits") from error
    for read in (_of_certificate, _of_request, load_pem_public_key):
        with suppress(ValueError, UnsupportedAlgorithm):
            key = read(content)
            return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    raise click.UsageError("the file holds no certificate, request or public key in PEM")


def _of_certificate(content: bytes) -> CertificatePublicKeyTypes:
    return x509.load_pem_x509_certificate(content).public_key()


def _of_request(content: bytes) -> CertificatePublicKeyTypes:
    return x509.load_pem_x509_csr(content).public_key()


def _asked_for() -> list[str]:
    """What custodians type, one after the other, unseen; an empty line ends it."""
    shares: list[str] = []
    while said := click.prompt(f"Share {len(shares) + 1}", default="", hide_input=True, show_default=False):
        shares.append(said)
    return shares


def told(table: Mapping[str, Any]) -> str:
    """A table of devices on one line."""
    counts = ", ".join(f"{table[state.value]} {state.value}" for state in LineState)
    return f"{table['id']} {table['state']}: {table['lines']} lines, {counts}"


def line(found: Certificate) -> str:
    """One certificate on one line."""
    until = found.not_after.strftime("%Y-%m-%d")
    return f"{found.serial} {found.standing.value:15} {found.profile:17} {until} {found.subject} {found.name}"
