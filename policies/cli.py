# SPDX-License-Identifier: Apache-2.0
"""``tallygate policies``: check, test, compare, release, take back and explain."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from audit.client import RecorderClient
from core.calls import Peer
from core.clock import SystemClock
from core.config import ConfigurationError, Document
from core.site import SiteSettings

from . import bundle
from . import replay as replaying
from .config import SHIPPED, PolicySettings
from .keys import read_policy_key, read_release_key
from .models import DecisionRequest, Past
from .record import read
from .release import Release
from .replay import Change

_SOURCE = click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED,
    help="Folder with the policies; the shipped ones by default.",
)
_SITE = click.option(
    "--site",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The site's configuration file (site.toml).",
)


_CANDIDATE = click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the candidate; the site's own source folder by default.",
)
_DAYS = click.option("--days", type=click.IntRange(1, 3650), default=7, help="How far to look back.")


def _somebody(_context: click.Context, _option: click.Parameter, given: str) -> str:
    """An identifier, as the record takes it in its clear part: a person's name would stay there for ever."""
    if not re.fullmatch(r"[A-Za-z0-9._:/~+=-]{1,256}", given, re.ASCII):
        raise click.BadParameter(
            "give an identifier, such as a person's in the directory: letters, digits and . _ : / ~ + = -, no spaces. "
            "It stands in the clear part of the record for ever, where no name may be."
        )
    return given


_ACTOR = click.option("--actor", required=True, callback=_somebody, help="Identifier of who releases, for the record.")


@click.group()
def policies() -> None:
    """Write, prove and release the site's policies."""


@policies.command()
@_SOURCE
def check(source: Path) -> None:
    """Parse, validate and lint, without running the cases; exit 1 if a policy says no owner or no reason."""
    made = Release(_files(source), version="candidate")
    for pair in made.needless():
        click.echo(f"{pair.kind.upper()} {pair.policy} adds nothing to {pair.by}")
    unexplained = made.unexplained()
    for line in unexplained:
        click.echo(f"WRONG {line}")
    if unexplained:
        sys.exit(1)
    click.echo(f"{len(made.policies)} policies, {len(made.zones)} zones: sound")


@policies.command()
@_SOURCE
def test(source: Path) -> None:
    """Run the table of cases; exit 1 if a line is answered otherwise or a policy is not proved."""
    made = Release(_files(source), version="candidate")
    wrong = made.failures()
    for line in wrong:
        click.echo(f"WRONG {line}")
    click.echo(f"{made.number_of_cases} cases, {len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


@policies.command()
@_SITE
@_ACTOR
def release(configuration: Path, actor: str) -> None:
    """Record, sign and put in force the policies of the site's source folder."""
    settings = Document.read(configuration).section("policies", PolicySettings)
    _put_in_force(configuration, _files(settings.source), actor=actor)


@policies.command()
@_SITE
def history(configuration: Path) -> None:
    """List the versions that were in force, the newest first."""
    site = _site(configuration)
    for manifest in bundle.history(site.public / "policies", read_policy_key(site.public / "policy-key.pem")):
        click.echo(f"{manifest.version}  {manifest.released_at[:16]}  {manifest.released_by}")


@policies.command()
@click.argument("version")
@_SITE
@_ACTOR
def rollback(version: str, configuration: Path, actor: str) -> None:
    """Put an earlier VERSION in force again, under a new number."""
    site = _site(configuration)
    key = read_policy_key(site.public / "policy-key.pem")
    files = bundle.read_version(site.public / "policies", version, key)
    _put_in_force(configuration, files, actor=actor)


@policies.command()
@_SITE
@_CANDIDATE
def diff(configuration: Path, source: Path | None) -> None:
    """Show which lines of both case tables a candidate answers otherwise than what is in force."""
    before, after = _in_force(configuration), _candidate(configuration, source)
    _tell(replaying.changes(Counter({*before.questions, *after.questions}), before=before.decide, after=after.decide))


@policies.command()
@_SITE
@_CANDIDATE
@_DAYS
def replay(configuration: Path, source: Path | None, days: int) -> None:
    """Ask a candidate what was asked in the last days: who would gain access, and who would lose it.

    Mandates are not in the record: a policy about them cannot be replayed.
    """
    before, after = _in_force(configuration), _candidate(configuration, source)
    asked = replaying.questions(_past(configuration, days))
    click.echo(f"{asked.total()} decisions, {len(asked)} different questions")
    _tell(replaying.changes(asked, before=before.decide, after=after.decide))


@policies.command()
@_SITE
@_DAYS
def usage(configuration: Path, days: int) -> None:
    """Show how often each policy decided in the last days; one that never did may be superfluous."""
    made = _in_force(configuration)
    idle = {pair.policy: f"{pair.kind}: adds nothing to {pair.by}" for pair in made.needless()}
    click.echo("  hits  alone  policy")
    for use in replaying.usage(_past(configuration, days), made.policies):
        remark = idle.get(use.name, "" if use.hits else "never matched")
        click.echo(f"{use.hits:>6} {use.alone:>6}  {use.name}" + (f"  {remark}" if remark else ""))


@policies.command()
@_SOURCE
def zones(source: Path) -> None:
    """Show how each zone is joined to each other one: live, ferry or not at all."""
    made = Release(_files(source), version="candidate")
    names = sorted(made.zones)
    click.echo("from / to".ljust(16) + "".join(name.ljust(16) for name in names))
    for origin in names:
        click.echo(origin.ljust(16) + "".join(str(made.kind(origin, there)).ljust(16) for there in names))


def _tell(changes: Sequence[Change]) -> None:
    for change in changes:
        click.echo(
            f"{'GAINS' if change.gains else 'LOSES'} {change.resource} from {change.from_zone}: {change.group}, "
            f"{change.times} times, {change.subjects} of them different; {change.was} becomes {change.becomes} "
            f"because of {', '.join(change.because) or 'nothing that permits'}"
        )
    click.echo(f"{len(changes)} changes")


def _past(configuration: Path, days: int) -> Iterator[Past]:
    site = _site(configuration)
    peer = Peer(
        path=site.socket("audit"),
        caller="app",
        secret=site.pair_secret(holder="app", caller="app", callee="audit"),
        timeout=60,
    )
    try:
        yield from read(peer, since=SystemClock().now() - timedelta(days=days))
    finally:
        peer.close()


def _candidate(configuration: Path, source: Path | None) -> Release:
    chosen = source or Document.read(configuration).section("policies", PolicySettings).source
    return Release(_files(chosen), version="candidate")


def _put_in_force(configuration: Path, files: dict[str, bytes], *, actor: str) -> None:
    site = _site(configuration)
    recorder = RecorderClient(
        site.socket("audit", "log"),
        caller="app",
        secret=site.pair_secret(holder="app", caller="app", callee="audit"),
        log_key=(site.public / "log.vkey").read_text("utf-8").strip(),
    )
    try:
        manifest = bundle.release(
            site.public / "policies",
            files,
            key=read_release_key(site.folder("policies") / "release.key"),
            journal=site.folder("policies") / bundle.JOURNAL,
            recorder=recorder,
            at=SystemClock().now(),
            actor=actor,
        )
    finally:
        recorder.close()
    click.echo(f"Version {manifest.version} is in force")


def _site(configuration: Path) -> SiteSettings:
    return Document.read(configuration).section("site", SiteSettings)


@policies.command()
@click.option("--site", "configuration", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(["person", "device", "client", "anonymous"]), default="person")
@click.option("--subject", default="somebody")
@click.option("--role", "roles", multiple=True)
@click.option("--organisation", default="")
@click.option("--mandate", "mandates", multiple=True)
@click.option("--disabled", is_flag=True)
@click.option("--proofing", type=int, default=3)
@click.option("--assurance", type=int, default=1)
@click.option("--clearance", type=int, default=0)
@click.option("--action", default="access")
@click.option("--resource", required=True)
@click.option("--class", "resource_class", required=True)
@click.option("--owner", default="")
@click.option("--classification", type=int, default=0)
@click.option("--required-assurance", type=int, default=0)
@click.option("--from", "from_zone", required=True)
@click.option("--to", "to_zone", required=True)
@click.option("--device")
@click.option("--public-path", is_flag=True)
def explain(configuration: Path | None, *, disabled: bool, public_path: bool, **question: Any) -> None:
    """Ask one question; of the site's policies in force with --site, else of the shipped ones."""
    question["principal_kind"] = question.pop("kind")
    question["roles"] = frozenset(question["roles"])
    question["mandates"] = frozenset(question["mandates"])
    request = DecisionRequest(enabled=not disabled, path_public=public_path, at=SystemClock().now(), **question)
    decision = _in_force(configuration).decide(request)
    click.echo(f"{'ALLOW' if decision.allowed else 'DENY'} {decision.code}")
    click.echo(f"because of: {', '.join(decision.reasons) or 'nothing that permits'}")
    if decision.step_up is not None:
        click.echo(f"would be allowed at assurance {decision.step_up}")
    click.echo(f"version: {decision.version}")


def _in_force(configuration: Path | None) -> Release:
    if configuration is None:
        return Release(_files(SHIPPED), version="shipped")
    site = _site(configuration)
    manifest, files = bundle.read_current(site.public / "policies", read_policy_key(site.public / "policy-key.pem"))
    return Release.proved(files, version=manifest.version)


def _files(source: Path) -> dict[str, bytes]:
    try:
        return bundle.read_source(source)
    except OSError as error:
        raise ConfigurationError(where=str(source), why=error.strerror or "unreadable") from error
