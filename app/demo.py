# SPDX-License-Identifier: Apache-2.0
"""Fill the sample city of a running site: its people through the directory's one writer, cards for those who need one.

Each step can be repeated: people that are there stay, a card whose file is there is not issued again.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from ca import CASettings, IssueRequest
from ca.client import CAClient
from core.errors import N_, Unavailable
from core.site import SiteSettings
from signatures.client import SignatureClient

from .context import Context
from .files import write_secret
from .processes import PATH
from .sample import city
from .users import GROUP, Users

SEALS = ("document-office", "data-bureau")
"""Organisations that have a seal from the first day; others get theirs with `tallygate seal --establish`."""
SIGNER = "chen.wei"
"""The sample citizen who can sign documents from the first day."""
_UNITS_WITHIN, _PAUSE = 60.0, 0.1
DEVICE = 0
"""The sample device that gets a certificate: the first of the city."""


class DemoFailed(Unavailable):
    """The directory did not take the sample city; its log says why."""

    code = "demo_failed"
    message = N_("The sample city could not be entered: %(why)s")


def fill(context: Context, say: Callable[[str], None]) -> None:
    """Enter the people, then give cards to the civil servants with known accounts and a certificate to one device.

    Raises:
        DemoFailed: the people could not be entered.
        TallygateError: the authority refused a card.
    """
    site = context.site
    folder = _folder(site)
    if (folder / "filled").exists():
        return
    say("Filling the sample city")
    _people(context)
    sample = city.build()
    authority = CAClient(context.peer("app", "ca"))
    subjects = {person.username: person.subject for _, person in sample.batch.people}
    for known in city.KNOWN:
        if known.agency:
            _card(
                authority, folder / f"{known.username}.p12", profile="civil-servant", subject=subjects[known.username]
            )
    _card(authority, _signing(folder), profile="citizen-signing", subject=subjects[SIGNER])
    device = sample.batch.devices[DEVICE][1]
    _card(authority, folder / "device.p12", profile="device-client", subject=device.id)
    seals = SignatureClient(context.peer("app", "signatures"))
    for organisation in SEALS:
        seals.establish(organisation)
    _await_units(context)
    write_secret(folder / "filled", b"")


def fill_people(context: Context) -> None:
    """The part that needs the directory's writer; runs as that role's user."""
    from .wiring.directory import writer  # noqa: PLC0415 - only this process may open the writer's store

    opened = writer(context)
    city.fill(opened, city.build())


def accounts(site: SiteSettings) -> list[str]:
    """What to tell a person who wants to try."""
    folder = _folder(site)
    width = max(len(known.username) for known in city.KNOWN)
    lines = [f"password for everybody: {city.PASSWORD}"]
    for known in city.KNOWN:
        card = folder / f"{known.username}.p12"
        more = f"; card {card}, its password beside it" if card.exists() else ""
        if known.username == SIGNER and _signing(folder).exists():
            more += f"; signs with {_signing(folder)}"
        lines.append(f"{known.username:<{width}}  {known.name} {known.name_zh}, {known.says}{more}")
    return lines


def _folder(site: SiteSettings) -> Path:
    return site.state / "demo"


def _signing(folder: Path) -> Path:
    return folder / f"{SIGNER}-signing.p12"


def _people(context: Context) -> None:
    user = Users.detect().of("directory")
    done = subprocess.run(
        # It ends with us, however we end.
        (
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            sys.executable,
            "-m",
            "app",
            "demo-people",
            "--site",
            str(context.path),
        ),
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": PATH, "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        user=user,
        group=user,
        extra_groups=[GROUP] if user else None,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DemoFailed(why=said[-1] if said else f"exit code {done.returncode}")


def _await_units(context: Context) -> None:
    """Until every unit that seals and the archive are stamped by is there; the role ca makes them after it started."""
    if not context.settings("ca", CASettings).timestamps.units:
        return
    peer, limit = context.peer("app", "ca"), context.clock.monotonic() + _UNITS_WITHIN
    while b"units_not_stamping 0" not in peer.call("GET", "/readyz").body.splitlines():
        if context.clock.monotonic() > limit:
            raise DemoFailed(why="time-stamping units are missing, see the log of the role ca")
        time.sleep(_PAUSE)


def _card(authority: CAClient, path: Path, *, profile: str, subject: str) -> None:
    """Issue one certificate; the key is made here, as a card would make it, and leaves under a password only."""
    if path.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    issued = authority.issue(
        IssueRequest(
            profile=profile,
            csr=request.public_bytes(Encoding.DER),
            subject=subject,
            actor="role:app",
            exception="sample city",
        )
    )
    chain = x509.load_pem_x509_certificates(issued.chain)
    leaf = x509.load_pem_x509_certificate(issued.certificate)
    password = secrets.token_urlsafe(9)
    for suffix in (".password", ".pem", ".p12"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    write_secret(path.with_suffix(".password"), password.encode())
    write_secret(
        path.with_suffix(".pem"),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + issued.certificate + issued.chain,
    )
    # The file that marks the card as issued comes last.
    write_secret(
        path,
        pkcs12.serialize_key_and_certificates(
            path.stem.encode(), key, leaf, [c for c in chain if c != leaf], BestAvailableEncryption(password.encode())
        ),
    )
