# SPDX-License-Identifier: Apache-2.0
"""`tallygate trust-list`: keep a list of whom one trusts, and follow the lists of others.

A list is one signed file; whoever keeps it adds and withdraws, and each time a version with the next number is signed.
Nothing is ever removed: who was trusted at a moment stays readable in the newest version.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, load_pem_public_key

from core.clock import SystemClock
from signatures.service import FollowedLists, Following
from signatures.trustlists import Entry, TrustList, read_own, unverified, written

from ..context import Context
from ..users import Users
from . import options

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LIST = click.argument("file", type=_FILE)
_KEY = click.option("--key", type=_FILE, required=True, help="Private key of the list's keeper (P-256, PEM).")
_PUBLIC = click.option("--list-key", "key", type=_FILE, required=True, help="Public key of the list's keeper, PEM.")
_DAYS = click.option("--days", type=click.IntRange(1, 400), default=90, show_default=True, help="Until the next issue.")
_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


@click.group(name="trust-list")
def trust_list() -> None:
    """Whom one trusts, as a signed and numbered list with its history."""


@trust_list.command()
@click.option("--name", required=True, help="What the list is called.")
@_KEY
@_DAYS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The list.")
def create(name: str, key: Path, days: int, out: Path) -> None:
    """Begin an empty list, as number 1."""
    if out.exists():
        raise click.ClickException(f"{out} is there already")
    now = SystemClock().now()
    made = TrustList(name=name, number=1, issued=now, next_issue=now + timedelta(days=days), entries=())
    out.write_bytes(written(made, _private(key)))
    click.echo(f"{name} 1: 0 certificates")


@trust_list.command()
@_LIST
@click.argument("certificate", type=_FILE)
@_KEY
@_DAYS
@click.option("--authority", default="", help="Name of an issuing authority; a root has none.")
@click.option("--signs", is_flag=True, help="What it issues may sign documents.")
@click.option("--only", type=click.Choice(["sign", "stamp"]), default=None, help="Trusted for signers or stamps alone.")
@click.option("--since", type=_MOMENT, help="Trusted from then on (UTC).")
def add(  # noqa: PLR0917 - click passes everything by name
    file: Path,
    certificate: Path,
    key: Path,
    days: int,
    authority: str,
    signs: bool,  # noqa: FBT001 - click passes flags by name
    only: str | None,
    since: datetime | None,
) -> None:
    """Trust one more certificate (PEM); the list is signed anew under the next number."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise click.ClickException("this is no certificate (PEM)") from error
    entry = Entry(certificate=found, authority=authority, signs=signs, only=only or "", since=_utc(since))

    def change(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if any(each.certificate == found and each.until is None for each in entries):
            raise click.ClickException("this certificate is on the list already")
        return (*(each for each in entries if each.certificate != found), entry)

    _sign_anew(file, key, days, change)


@trust_list.command()
@_LIST
@click.argument("fingerprint")
@_KEY
@_DAYS
@click.option("--until", type=_MOMENT, help="Trusted no more from then on (UTC); now, if not said.")
def withdraw(file: Path, fingerprint: str, key: Path, days: int, until: datetime | None) -> None:
    """Trust the certificate with this SHA-256 no more; what was proved to be signed before stays good."""
    end = _utc(until) or SystemClock().now()

    def change(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        named = [each for each in entries if _fingerprint(each) == fingerprint.lower() and each.until is None]
        if not named:
            raise click.ClickException("no such certificate is trusted by this list")
        return tuple(replace(each, until=end) if each in named else each for each in entries)

    _sign_anew(file, key, days, change)


@trust_list.command()
@_LIST
@_KEY
@_DAYS
def sign(file: Path, key: Path, days: int) -> None:
    """Issue the list again under the next number, before it is overdue."""
    _sign_anew(file, key, days, lambda entries: entries)


@trust_list.command()
@_LIST
@_PUBLIC
@click.option("--newest", type=click.IntRange(0), default=0, help="Number of the last version that was seen.")
def verify(file: Path, key: Path, newest: int) -> None:
    """Say whether the list may be used today."""
    found = read_own(file.read_bytes(), _public(key), at=SystemClock().now(), newest=newest)
    click.echo(f"{found.name} {found.number}: good until {found.next_issue:%Y-%m-%d %H:%M} UTC")


@trust_list.command()
@_LIST
@_PUBLIC
@click.option("--at", "moment", type=_MOMENT, help="Who was trusted then (UTC); now, if not said.")
def show(file: Path, key: Path, moment: datetime | None) -> None:
    """List who is or was trusted at one moment, and for what."""
    now = SystemClock().now()
    found, at = read_own(file.read_bytes(), _public(key), at=now), _utc(moment) or now
    click.echo(f"{found.name} {found.number}, as of {at:%Y-%m-%d %H:%M:%S} UTC")
    for entry in found.entries:
        if (entry.since is None or entry.since <= at) and (entry.until is None or at < entry.until):
            click.echo(_line(entry))


@trust_list.command()
@click.argument("name")
@click.argument("file", type=_FILE)
@options.site
@click.option("--list-key", "key", type=_FILE, help="Public key of its keeper, PEM; needed the first time.")
def follow(name: str, file: Path, configuration: Path, key: Path | None) -> None:
    """Have this site trust another one's list: pins its keeper's key the first time, and takes newer versions.

    Both are recorded before they count, and so is a refusal: without the running log nothing is trusted.
    """
    context, document, pinned = Context.read(configuration), file.read_bytes(), key.read_bytes() if key else b""
    # In the role's own folder, by its own user.
    said = Users.detect().acting("signatures", partial(_taken, context, name, document, pinned))
    click.echo(f"{name} {said.decode()} certificates")


@trust_list.command()
@click.argument("name")
@options.site
def history(name: str, configuration: Path) -> None:
    """Every version of a followed list that was accepted, with what changed."""
    before: frozenset[str] = frozenset()
    for version in _followed(configuration).history(name, at=SystemClock().now()):
        lines = frozenset(map(_line, version.entries))
        click.echo(f"{version.number}, issued {version.issued:%Y-%m-%d %H:%M:%S} UTC")
        for line in sorted(lines - before):
            click.echo(f"  + {line}")
        for line in sorted(before - lines):
            click.echo(f"  - {line}")
        before = lines


def _sign_anew(file: Path, key: Path, days: int, change: Callable[[tuple[Entry, ...]], tuple[Entry, ...]]) -> None:
    signer, document = _private(key), file.read_bytes()
    # One's own list may be overdue: that is why it is signed anew. It must be one's own.
    found = read_own(document, signer.public_key(), at=unverified(document).issued)
    now = max(SystemClock().now(), found.issued)
    made = replace(
        found,
        number=found.number + 1,
        issued=now,
        next_issue=now + timedelta(days=days),
        entries=change(found.entries),
    )
    new = file.with_name(file.name + ".new")
    new.write_bytes(written(made, signer))
    new.replace(file)
    click.echo(f"{made.name} {made.number}: {len(made.entries)} certificates")


def _line(entry: Entry) -> str:
    name = x509.load_der_x509_certificate(entry.certificate).subject.rfc4514_string()
    what = " ".join(filter(None, [entry.authority or "root", "signs" if entry.signs else "", entry.only]))
    span = f"{entry.since or ''}..{entry.until or ''}" if entry.since or entry.until else ""
    return f"{_fingerprint(entry)} {what} {name} {span}".strip()


def _fingerprint(entry: Entry) -> str:
    return hashlib.sha256(entry.certificate).hexdigest()


def _taken(context: Context, name: str, document: bytes, key: bytes) -> bytes:
    recorder = context.recorder("signatures")
    following = Following(
        lists=FollowedLists(context.site.folder("signatures") / "lists"),
        recorder=recorder,
        tell=recorder.record,
        clock=context.clock,
        caller="app",
    )
    if key:
        following.pin(name, key)
    found = following.take(name, document)
    return f"{found.number}: {len(found.entries)}".encode()


def _followed(configuration: Path) -> FollowedLists:
    return FollowedLists(Context.read(configuration).site.folder("signatures") / "lists")


def _private(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise click.ClickException("this is no private key without a passphrase") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise click.ClickException("a list is signed with a key on P-256")
    return key


def _public(path: Path) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError as error:
        raise click.ClickException("this is no public key") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise click.ClickException("a list is signed with a key on P-256")
    return key


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
