# SPDX-License-Identifier: Apache-2.0
"""``tallygate policies``: check, test, compare, try, sign, release, take back and explain."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from core.clock import SystemClock

from .. import bundle
from .. import replay as replaying
from ..keys import read_policy_key
from ..models import Action, DecisionRequest, PrincipalKind
from ..release import Release, differing
from ..zones import PROTOCOLS
from .releasing import administrator_key, disagreements, orders, release, rollback, shadow, sign, sign_statement
from .site import CANDIDATE, DAYS, SITE, SOURCE, candidate, files_of, in_force, past, released, site_of, tell


@click.group()
def policies() -> None:
    """Write, prove and release the site's policies."""


@policies.command()
@SOURCE
def check(source: Path) -> None:
    """Parse, validate and lint, without running the cases; exit 1 if a policy says no owner or no reason."""
    made = Release(files_of(source), version="candidate")
    for pair in made.needless():
        click.echo(f"{pair.kind.upper()} {pair.policy} {pair.told}")
    for remark in made.rows_remarked():
        click.echo(f"{remark.kind.upper()} zone:{remark.row} {remark.told}")
    unexplained = made.unexplained()
    for line in unexplained:
        click.echo(f"WRONG {line}")
    if unexplained:
        sys.exit(1)
    click.echo(f"{len(made.policies)} policies, {len(made.zones)} zones: sound")


@policies.command()
@SOURCE
def test(source: Path) -> None:
    """Run the table of cases; exit 1 if a line is answered otherwise or a policy is not proved."""
    made = Release(files_of(source), version="candidate")
    wrong = made.failures()
    for line in wrong:
        click.echo(f"WRONG {line}")
    click.echo(f"{made.number_of_cases} cases, {len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


@policies.command()
@SITE
def history(configuration: Path) -> None:
    """List the versions that were in force, the newest first."""
    site = site_of(configuration)
    for manifest in bundle.history(site.public / "policies", read_policy_key(site.public / "policy-key.pem")):
        click.echo(f"{manifest.version}  {manifest.released_at[:16]}  {manifest.released_by}")


@policies.command()
@SITE
@CANDIDATE
@click.option("--version", default="", help="A version that is or was in force, instead of a candidate.")
@click.option("--other", default="", help="The version it is compared with; what is in force by default.")
def diff(configuration: Path, source: Path | None, version: str, other: str) -> None:
    """Show which policies and zone rows differ, and which lines of both case tables are answered otherwise.

    A candidate is compared with what is in force, or one version with another.
    """
    before = released(configuration, other) if other else in_force(configuration)
    after = released(configuration, version) if version else candidate(configuration, source)
    lines = differing(before, after)
    for line in lines:
        click.echo(line)
    click.echo(f"{len(lines)} policies and zone rows differ")
    tell(replaying.changes(Counter({*before.questions, *after.questions}), before=before.decide, after=after.decide))


@policies.command()
@SITE
@CANDIDATE
@DAYS
def replay(configuration: Path, source: Path | None, days: int) -> None:
    """Ask a candidate what was asked in the last days: who would gain access, and who would lose it.

    Mandates are not in the record: a policy about them cannot be replayed.
    """
    before, after = in_force(configuration), candidate(configuration, source)
    asked = replaying.questions(past(configuration, days))
    click.echo(f"{asked.total()} decisions, {len(asked)} different questions")
    tell(replaying.changes(asked, before=before.decide, after=after.decide))


@policies.command()
@SITE
@DAYS
def usage(configuration: Path, days: int) -> None:
    """Show how often each policy decided in the last days; one that never did may be superfluous."""
    made = in_force(configuration)
    idle = {pair.policy: f"{pair.kind}: {pair.told}" for pair in made.needless()}
    recorded = list(past(configuration, days))
    click.echo("  hits  alone  policy")
    for use in replaying.usage(recorded, made.policies):
        remark = idle.get(use.name, "" if use.hits else "never matched")
        click.echo(f"{use.hits:>6} {use.alone:>6}  {use.name}" + (f"  {remark}" if remark else ""))

    remarked = {each.row: f"{each.kind}: {each.told}" for each in made.rows_remarked()}
    click.echo("  hits refused zone row")
    for use in replaying.rows_used(recorded, [row.id for row in made.rows()], made.row):
        remark = remarked.get(use.name, "" if use.hits else "never matched")
        click.echo(f"{use.hits:>6} {use.alone:>6}  zone:{use.name}" + (f"  {remark}" if remark else ""))


@policies.command()
@SOURCE
def zones(source: Path) -> None:
    """Show how each zone is joined to each other one: live, ferry or not at all."""
    made = Release(files_of(source), version="candidate")
    names = sorted(made.zones)
    click.echo("from / to".ljust(16) + "".join(name.ljust(16) for name in names))
    for origin in names:
        click.echo(origin.ljust(16) + "".join(str(made.kind(origin, there)).ljust(16) for there in names))


@policies.command()
@click.option("--site", "configuration", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(get_args(PrincipalKind)), default="person")
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
@click.option("--device-state", default="")
@click.option("--record-class", default="")
@click.option("--acting-for", default="")
@click.option("--purpose", default="")
@click.option("--public-path", is_flag=True)
@click.option("--method", help="Of the request; CONNECT for a way out.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Of the listener, or of the destination.")
@click.option("--protocol", type=click.Choice(sorted(PROTOCOLS)), help="What is spoken there; https by default.")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S"]), help="UTC, for policies that begin or end.")
def explain(
    configuration: Path | None, *, disabled: bool, public_path: bool, at: datetime | None, **question: Any
) -> None:
    """Ask one question; of the site's policies in force with --site, else of the shipped ones."""
    question["principal_kind"] = question.pop("kind")
    question["roles"] = frozenset(question["roles"])
    question["mandates"] = frozenset(question["mandates"])
    asked_at = at.replace(tzinfo=UTC) if at else SystemClock().now()
    requested = question["action"] == Action.ACCESS
    question["method"] = question["method"] or ("GET" if requested else "")
    question["protocol"] = question["protocol"] or ("https" if requested else "")
    request = DecisionRequest(enabled=not disabled, path_public=public_path, at=asked_at, **question)
    decision = in_force(configuration).decide(request)
    click.echo(f"{'ALLOW' if decision.allowed else 'DENY'} {decision.code}")
    click.echo(f"because of: {', '.join(decision.reasons) or 'nothing that permits'}")
    if decision.step_up is not None:
        click.echo(f"would be allowed at assurance {decision.step_up}")
    for remedy in decision.could:
        click.echo(f"would help: {remedy.kind} {remedy.value}".rstrip())
    click.echo(f"version: {decision.version}")


for _command in (administrator_key, sign, sign_statement, shadow, disagreements, release, rollback, orders):
    policies.add_command(_command)
