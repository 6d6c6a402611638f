# SPDX-License-Identifier: Apache-2.0
"""What the commands share: their options, the site they are about, its record and what is in force there."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import click

from audit.client import RecorderClient
from core.calls import Peer
from core.clock import SystemClock
from core.config import ConfigurationError, Document
from core.site import SiteSettings

from .. import bundle
from ..config import SHIPPED, PolicySettings
from ..keys import read_policy_key
from ..models import Past
from ..record import read
from ..release import Release
from ..replay import Change

SOURCE = click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED,
    help="Folder with the policies; the shipped ones by default.",
)
SITE = click.option(
    "--site",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The site's configuration file (site.toml).",
)


CANDIDATE = click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the candidate; the site's own source folder by default.",
)
DAYS = click.option("--days", type=click.IntRange(1, 3650), default=7, help="How far to look back.")


def identifier(_context: click.Context, _option: click.Parameter, given: str) -> str:
    """An identifier, as the record takes it in its clear part: a person's name would stay there for ever."""
    if not re.fullmatch(r"[A-Za-z0-9._:/~+=-]{1,256}", given, re.ASCII):
        raise click.BadParameter(
            "give an identifier, such as a person's in the directory: letters, digits and . _ : / ~ + = -, no spaces. "
            "It stands in the clear part of the record for ever, where no name may be."
        )
    return given


ACTOR = click.option("--actor", required=True, callback=identifier, help="Identifier of who releases, for the record.")


def tell(changes: Sequence[Change]) -> None:
    """Print who gains and who loses."""
    for change in changes:
        click.echo(
            f"{'GAINS' if change.gains else 'LOSES'} {change.resource} from {change.from_zone}: {change.group}, "
            f"{change.times} times, {change.subjects} of them different; {change.was} becomes {change.becomes} "
            f"because of {', '.join(change.because) or 'nothing that permits'}"
        )
    click.echo(f"{len(changes)} changes")


def past(configuration: Path, days: int) -> Iterator[Past]:
    """The decisions of the last days, from the record; the reading is recorded."""
    peer = desk_of(site_of(configuration))
    try:
        yield from read(peer, since=SystemClock().now() - timedelta(days=days))
    finally:
        peer.close()


def desk_of(site: SiteSettings) -> Peer:
    """The audit role, as the operator's commands call it: for the record, and for the desk that stands there."""
    return Peer(
        path=site.socket("audit"),
        caller="app",
        secret=site.pair_secret(holder="app", caller="app", callee="audit"),
        timeout=60,
    )


def candidate(configuration: Path, source: Path | None) -> Release:
    """What somebody edits: the folder given, else the site's own source."""
    chosen = source or Document.read(configuration).section("policies", PolicySettings).source
    return Release(files_of(chosen), version="candidate")


def site_of(configuration: Path) -> SiteSettings:
    """The site of a configuration file."""
    return Document.read(configuration).section("site", SiteSettings)


def in_force(configuration: Path | None) -> Release:
    """What decides now; the shipped policies where no site is named."""
    if configuration is None:
        return Release(files_of(SHIPPED), version="shipped")
    site = site_of(configuration)
    manifest, files = bundle.read_current(site.public / "policies", read_policy_key(site.public / "policy-key.pem"))
    return Release.proved(files, version=manifest.version)


def released(configuration: Path, version: str) -> Release:
    """One version that is or was in force.

    Raises:
        BundleRefused: there is none of that name.
    """
    site = site_of(configuration)
    key = read_policy_key(site.public / "policy-key.pem")
    return Release(bundle.read_version(site.public / "policies", version, key), version=version)


def files_of(source: Path) -> dict[str, bytes]:
    """The files of a source folder.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return bundle.read_source(source)
    except OSError as error:
        raise ConfigurationError(where=str(source), why=error.strerror or "unreadable") from error


def recorder_of(site: SiteSettings) -> RecorderClient:
    """The site's log, as the operator's commands write to it."""
    return RecorderClient(
        site.socket("audit", "log"),
        caller="app",
        secret=site.pair_secret(holder="app", caller="app", callee="audit"),
        log_key=(site.public / "log.vkey").read_text("utf-8").strip(),
    )
