# SPDX-License-Identifier: Apache-2.0
"""What puts policies in force: signatures of administrators, trying in shadow, releasing, taking back."""

import base64
import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import Event, Outcome, Wait
from core.clock import SystemClock
from core.config import Document

from .. import bundle
from .. import replay as replaying
from ..approval import PREFIX, Approval, Trial, approve, read_statement
from ..clerk import Clerk
from ..config import PolicySettings
from ..errors import BundleRefused, PoliciesUnusable
from ..keys import read_policy_key, read_release_key
from ..release import Release
from .site import (
    ACTOR,
    CANDIDATE,
    DAYS,
    SITE,
    desk_of,
    files_of,
    identifier,
    in_force,
    past,
    recorder_of,
    site_of,
    tell,
)

_LONGEST_STATEMENT = 1 << 20


def _word(context: click.Context, option: click.Parameter, given: str) -> str:
    return identifier(context, option, given) if given else ""


def _told(trial: Trial) -> str:
    if trial.without:
        return f"comes into force WITHOUT a trial in shadow: {trial.without}"
    return f"comes into force after a trial in shadow of at least {trial.seconds} seconds"


@click.command("administrator-key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def administrator_key(file: Path) -> None:
    """Make a security administrator's key in FILE and print the line for the site's configuration."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(secrets.token_bytes(32))
    public = read_release_key(file).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    click.echo(f'[policies.administrators]\nIDENTIFIER = "{base64.b64encode(public).decode()}"')


@click.command("sign-statement")
@click.argument("statement", type=click.File("rb"))
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sign_statement(statement: BinaryIO, key_file: Path) -> None:
    """Sign the statement of a proposal, as the desk offers it, and print what to give back to the desk.

    Nothing but a statement about policies is signed; what it says is shown first, on the error output.
    """
    content = statement.read(_LONGEST_STATEMENT + 1)
    said = read_statement(content)
    click.echo(f"Release {said.sequence} of {len(said.files)} files, signed as {said.administrator}:", err=True)
    click.echo(f"  {_told(said.trial)}", err=True)
    for name, digest in sorted(said.files.items()):
        click.echo(f"  {digest[:16]}  {name}", err=True)
    click.echo(base64.b64encode(read_release_key(key_file).sign(content)).decode())


@click.command()
@SITE
@CANDIDATE
@ACTOR
@DAYS
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trial", "seconds", type=click.IntRange(0), default=0, help="Seconds it is tried in shadow at least.")
@click.option("--without-shadow", "why", default="", callback=_word, help="Why it need not be tried, in a word.")
@click.option("--yes", is_flag=True, help="Sign without being asked.")
def sign(
    configuration: Path,
    source: Path | None,
    actor: str,
    days: int,
    *,
    key_file: Path,
    seconds: int,
    why: str,
    yes: bool,
) -> None:
    """Test a candidate, show what it would have changed, and sign it as one of the site's administrators.

    What is signed says how long it is to be tried in shadow before it can come into force, or why it need not be.
    """
    trial = Trial.read(Trial(seconds=0 if why else seconds, without=why).said)
    settings = Document.read(configuration).section("policies", PolicySettings)
    site, folder = site_of(configuration), source or settings.source
    files, key = files_of(folder), read_release_key(key_file)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    if settings.administrators.get(actor) != public:
        raise BundleRefused(why=f"the site knows no administrator {actor} with this key")
    # 1. What fails its tests is not signed.
    made = Release.proved(files, version="candidate")
    if made.unexplained():
        raise PoliciesUnusable(why="; ".join(made.unexplained()[:5]))
    # 2. Whoever signs has seen who gains and who loses.
    asked = replaying.questions(past(configuration, days))
    click.echo(f"{asked.total()} decisions, {len(asked)} different questions")
    before = in_force(configuration)
    tell(replaying.changes(asked, before=before.decide, after=made.decide))
    tell(replaying.changes(Counter({*before.questions, *made.questions}), before=before.decide, after=made.decide))
    click.echo(_told(trial))
    if not yes:
        click.confirm("Sign it?", abort=True)
    # 3. Recorded before it exists.
    now = bundle.read_manifest(site.public / "policies", read_policy_key(site.public / "policy-key.pem"))
    named, sequence = bundle.digests(files), now.sequence + 1
    approval = approve(named, sequence=sequence, administrator=actor, key=key, trial=trial.said)
    content = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]
    recorder = recorder_of(site)
    try:
        recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="policy.approved",
                outcome=Outcome.SUCCESS,
                at=SystemClock().now(),
                source="app",
                actor=actor,
                object=content,
                attributes={
                    "content": content,
                    "sequence": sequence,
                    **({"trial": trial.said} if trial.said else {}),
                },
            ),
            wait=Wait.SEQUENCED,
        )
    finally:
        recorder.close()
    (folder / f"{PREFIX}{actor}.json").write_bytes(approval.written())
    click.echo(f"Signed as release {sequence}")


@click.command()
@SITE
@CANDIDATE
@ACTOR
@click.option("--end", is_flag=True, help="Try nothing any more.")
def shadow(configuration: Path, source: Path | None, actor: str, *, end: bool) -> None:
    """Try a candidate on live questions: it decides nothing, and where it disagrees the record says so."""
    site = site_of(configuration)
    journal = site.folder("policies") / bundle.JOURNAL
    if end:
        recorder = recorder_of(site)
        try:
            ended = bundle.end_shadow(
                site.public / "policies",
                key=read_release_key(site.folder("policies") / "release.key"),
                journal=journal,
                recorder=recorder,
                at=SystemClock().now(),
                actor=actor,
            )
        finally:
            recorder.close()
        click.echo(f"Version {ended} is not tried any more" if ended else "Nothing is tried in shadow")
        return
    files = files_of(source or Document.read(configuration).section("policies", PolicySettings).source)
    recorder = recorder_of(site)
    try:
        made = bundle.put_in_shadow(
            site.public / "policies",
            files,
            key=read_release_key(site.folder("policies") / "release.key"),
            journal=journal,
            recorder=recorder,
            at=SystemClock().now(),
            actor=actor,
        )
    finally:
        recorder.close()
    click.echo(f"Version {made.version} is tried in shadow")


@click.command()
@SITE
@DAYS
def disagreements(configuration: Path, days: int) -> None:
    """Show what a candidate in shadow would have decided otherwise in the last days, by route, group and zone."""
    tell(replaying.disagreements(past(configuration, days)))


@click.command()
@SITE
@ACTOR
@click.option(
    "--without-shadow",
    "without_shadow",
    default="",
    callback=_word,
    help="Release what was never tried in shadow, and why, in a word or the number of an order, for the record. "
    "Where the site names administrators, what they signed says so, and this option does not count.",
)
def release(configuration: Path, actor: str, without_shadow: str) -> None:
    """Record, sign and put in force the policies of the site's source folder, which were tried in shadow before."""
    settings = Document.read(configuration).section("policies", PolicySettings)
    source = settings.source
    approvals, files = bundle.read_approvals(source), files_of(source)
    if not without_shadow and not settings.administrators:
        folder, key = _bundles(configuration)
        bundle.demand_shadow(folder, files, key, at=SystemClock().now())
    _put_in_force(configuration, files, actor=actor, approvals=approvals, without_shadow=without_shadow)


@click.command()
@click.argument("version")
@SITE
@ACTOR
def rollback(version: str, configuration: Path, actor: str) -> None:
    """Put an earlier VERSION in force again, under a new number and with the signatures it had."""
    folder, key = _bundles(configuration)
    files = bundle.read_version(folder, version, key)
    approvals = [
        Approval(administrator=name, sequence=manifest.approved_as, signature=signature, trial=manifest.trial)
        for manifest in bundle.history(folder, key)
        if manifest.version == version
        for name, signature in manifest.approvals.items()
    ]
    _put_in_force(configuration, files, actor=actor, approvals=approvals)


def _bundles(configuration: Path) -> tuple[Path, Ed25519PublicKey]:
    site = site_of(configuration)
    return site.public / "policies", read_policy_key(site.public / "policy-key.pem")


def _put_in_force(
    configuration: Path,
    files: dict[str, bytes],
    *,
    actor: str,
    approvals: Sequence[Approval],
    without_shadow: str = "",
) -> None:
    site = site_of(configuration)
    recorder = recorder_of(site)
    try:
        manifest = bundle.release(
            site.public / "policies",
            files,
            key=read_release_key(site.folder("policies") / "release.key"),
            journal=site.folder("policies") / bundle.JOURNAL,
            recorder=recorder,
            at=SystemClock().now(),
            actor=actor,
            approvals=approvals,
            administrators=Document.read(configuration).section("policies", PolicySettings).administrators,
            without_shadow=without_shadow,
        )
    finally:
        recorder.close()
    click.echo(f"Version {manifest.version} is in force")


@click.command()
@SITE
def orders(configuration: Path) -> None:
    """Carry out what the policy desk ordered, once; `tallygate up` does that by itself, again and again."""
    site = site_of(configuration)
    key_file = site.folder("policies") / "release.key"
    recorder = recorder_of(site)
    try:
        done = Clerk(
            desk=desk_of(site),
            folder=site.public / "policies",
            key_file=key_file,
            journal=key_file.with_name(bundle.JOURNAL),
            recorder=lambda: recorder,
            clock=SystemClock(),
            administrators=lambda: Document.read(configuration).section("policies", PolicySettings).administrators,
        ).round()
    finally:
        recorder.close()
    click.echo(f"{done} orders were answered")
