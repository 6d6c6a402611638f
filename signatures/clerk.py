# SPDX-License-Identifier: Apache-2.0
"""`tallygate agencies`: what programs may do here; `archive`: what is at risk; `keepers` of a seal; batches."""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from core.calls import Peer
from core.config import Document
from core.errors import NotFound
from core.site import SiteSettings

from .client import API, BatchClient, SignatureClient

_SITE = click.option(
    "--site",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The site's configuration file (site.toml).",
)
_NOTE = ".tallygate-batch"
_PAUSE = 1.0


@click.command()
@_SITE
@click.option("--organisation", required=True, help="Whose seal, by directory identifier.")
@click.option("--name", "names", multiple=True, required=True, help="User name of a keeper; two for a seal of two.")
def keepers(configuration: Path, organisation: str, names: tuple[str, ...]) -> None:
    """Name the first keepers of an organisation's seal; from then on two of them change who keeps it."""
    SignatureClient(_peer(configuration)).name_keepers(organisation, names)
    click.echo(f"the seal of {organisation} is kept by {', '.join(names)}")


@click.group()
def agencies() -> None:
    """Programs of agencies that have documents checked and sealed."""


@agencies.command()
@_SITE
@click.option("--client", required=True, help="Name of the program at sign-on (`tallygate sso program enter`).")
@click.option("--organisation", required=True, help="The agency whose seal and quota it uses.")
@click.option(
    "--do", "doings", multiple=True, required=True, type=click.Choice(["verify", "seal", "batch", "archive", "paper"])
)
@click.option("--per-minute", type=int, default=600, show_default=True, help="Requests of all the agency's programs.")
@click.option("--per-day", type=int, default=100_000, show_default=True)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, at most a year ahead.")
@click.option("--reason", required=True, help="For the record.")
def let(  # noqa: PLR0917 - click passes everything by name
    configuration: Path,
    client: str,
    organisation: str,
    doings: tuple[str, ...],
    per_minute: int,
    per_day: int,
    until: datetime,
    reason: str,
) -> None:
    """Let a program do exactly this from now on."""
    told = {
        "client": client,
        "organisation": organisation,
        "doings": list(doings),
        "per_minute": per_minute,
        "per_day": per_day,
        "until": until.date().isoformat(),
        "reason": reason,
    }
    _peer(configuration).call("POST", f"{API}/programs", document=told)
    click.echo(f"{client} may {', '.join(doings)} for {organisation} until {until:%Y-%m-%d}")


@agencies.command()
@_SITE
@click.option("--client", required=True)
def end(configuration: Path, client: str) -> None:
    """Let a program do nothing any more; its next request is refused."""
    _peer(configuration).call("DELETE", f"{API}/programs/{quote(client, safe='')}")
    click.echo(f"{client} may do nothing any more")


@agencies.command("list")
@_SITE
def list_(configuration: Path) -> None:
    """Every program and what it may do."""
    for each in _peer(configuration).call("GET", f"{API}/programs").json()["programs"]:
        quota = f"{each['per_minute']}/min {each['per_day']}/day"
        named = f"{each['client']:<24} {each['organisation']:<24}"
        click.echo(f"{named} {' '.join(each['doings']):<20} {quota} {each['until']}")


@click.group()
def archive() -> None:
    """Documents that are kept provable."""


@archive.command()
@_SITE
@click.option("--all", "everything", is_flag=True, help="Also what nothing threatens.")
def report(configuration: Path, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """A line of JSON for each document at risk; ends with 1 if one is lost or overdue."""
    counted: dict[str, int] = {}
    with _peer(configuration).pieces("GET", f"{API}/archive", document=None) as pieces:
        for line in _lines(pieces):
            risk = str(json.loads(line)["risk"])
            counted[risk] = counted.get(risk, 0) + 1
            if everything or risk != "none":
                click.echo(line)
    told = ", ".join(f"{number} {risk}" for risk, number in sorted(counted.items()))
    click.echo(f"tallygate: {told or 'the archive is empty'}", err=True)
    sys.exit(1 if {"due", "lost"} & set(counted) else 0)


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from (line.decode() for line in whole)


def sealed_folder(batches: BatchClient, folder: Path, out: Path, *, organisation: str) -> int:
    """Have every file of a folder sealed as one batch; how many could not be.

    Whoever is killed calls it again: the note beside the results says which batch it was, what is there is not sent
    twice, and what was sealed is not sealed again.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise click.ClickException(f"{folder} holds no file")
    for path in files:
        # A byte that is no UTF-8 stands in a name as half a character.
        if any("\ud800" <= each <= "\udfff" for each in path.name):
            raise click.ClickException(f"the name {path.name!a} is not in UTF-8; name the file anew")
    batch = _batch(batches, out, organisation)
    if batches.far(batch)["state"] == "open":
        there = {each["name"]: each["sha256"] for each in batches.documents(batch)}
        digest = hashlib.sha256()
        for number, path in enumerate(sorted(files, key=lambda each: each.name), start=1):
            document = path.read_bytes()
            own = hashlib.sha256(document).hexdigest()
            if there.get(path.name) != own:
                batches.add(batch, path.name, document)
            digest.update(f"{own}  {path.name}\n".encode())
            _tell(f"{number} of {len(files)} documents handed in", every=number % 100 == 0 or number == len(files))
        batches.start(batch, count=len(files), digest=digest.hexdigest())
    far = _waited(batches, batch)
    if far["state"] == "refused":
        # Whoever calls again begins anew.
        (out / _NOTE).unlink()
        raise click.ClickException(f"the keepers of the seal did not confirm it: {far['order']['state']}")
    for each in batches.documents(batch):
        if each["state"] == "made" and not (out / each["name"]).exists():
            _write(out / each["name"], batches.result(batch, each["name"]))
        elif each["state"] == "failed":
            click.echo(f"tallygate: {each['name']}: {each['code']}", err=True)
    (out / _NOTE).unlink()
    return int(far["failed"])


def _batch(batches: BatchClient, out: Path, organisation: str) -> str:
    note = out / _NOTE
    if note.exists():
        known = note.read_text("ascii").strip()
        try:
            batches.far(known)
        except NotFound:
            _tell("the batch that was begun is over; a new one begins")
        else:
            return known
    made = batches.open(organisation)
    _write(note, made.encode())
    return made


def _waited(batches: BatchClient, batch: str) -> dict[str, Any]:
    pause, told = threading.Event(), False
    while True:
        far = batches.far(batch)
        _tell(f"{far['made']} sealed, {far['failed']} refused, {far['waiting']} to come")
        if far["state"] in {"done", "refused"}:
            return far
        if far["state"] == "waiting" and far["order"] and not told:
            told = True
            _tell(f"keepers of the seal have to confirm it at {far['order']['address']}")
        if far["state"] in {"stopping", "stopped"}:
            raise click.ClickException(
                "somebody stopped the batch; let it go on where documents are signed, then call the command again"
            )
        pause.wait(_PAUSE)


def _tell(text: str, *, every: bool = True) -> None:
    if every:
        click.echo(f"tallygate: {text}", err=True)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _peer(configuration: Path) -> Peer:
    site = Document.read(configuration).section("site", SiteSettings)
    secret = site.pair_secret(holder="app", caller="app", callee="signatures")
    return Peer(path=site.socket("signatures"), caller="app", secret=secret, timeout=60.0)
