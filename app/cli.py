# SPDX-License-Identifier: Apache-2.0
"""The command `tallygate`: what an operator, an auditor or an agency types."""

import sys
from pathlib import Path

import click

from audit.cli import audit as audit_commands
from ca.cli import group as ca_group
from ca.client import CAClient
from core.errors import TallygateError
from core.log import configure
from policies.cli import policies as policy_commands
from signatures.cli import seal, sign, verify

from . import birth, demo, doctor, serve, up
from .context import Context
from .wiring import sso


class _Group(click.Group):
    """Turns our errors into one line and exit code 1; a trace would hide what to do."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TallygateError as error:
            click.echo(f"tallygate: {error.detail} [{error.code}]", err=True)
            sys.exit(1)


_SITE = click.option(
    "--site",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The site's configuration file (site.toml).",
)


@click.group(cls=_Group)
@click.version_option(package_name=None, version="0.1.0", prog_name="tallygate")
def main() -> None:
    """Trust infrastructure for an e-government."""


@main.command()
@_SITE
@click.option("--renew-processes", is_flag=True, help="Renew what ran out while the site was off; roles stopped.")
@click.option("--unless-born", is_flag=True, help="Do nothing where the site exists already.")
def init(configuration: Path, renew_processes: bool, unless_born: bool) -> None:  # noqa: FBT001 - click passes by name
    """Bring a site to life, or its processes back."""
    context = Context.read(configuration)
    if unless_born and birth.is_born(context.site):
        return
    with up.alone(configuration):
        (birth.renew_processes if renew_processes else birth.init)(context, click.echo)


@main.command(name="serve")
@click.argument("role")
@_SITE
def serve_role(role: str, configuration: Path) -> None:
    """Run one role as its own process."""
    serve.serve(role, configuration.resolve())


@main.command(name="up")
@click.option("--site", "configuration", type=click.Path(dir_okay=False, path_type=Path), help="An existing site.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Folder for a new sample city.")
@click.option("--without-demo", is_flag=True, help="Do not fill the sample city.")
def up_command(configuration: Path | None, state: Path | None, without_demo: bool) -> None:  # noqa: FBT001 - as above
    """Start everything on this machine; Ctrl-C stops it."""
    configure("supervisor")
    up.up(configuration=configuration, state=state, with_demo=not without_demo, say=click.echo)


@main.command(name="demo")
@_SITE
def demo_command(configuration: Path) -> None:
    """Fill the sample city of a running site."""
    demo.fill(Context.read(configuration), click.echo)


@main.command(name="demo-people", hidden=True)
@_SITE
def demo_people(configuration: Path) -> None:
    """The part of demo that runs as the directory's user."""
    demo.fill_people(Context.read(configuration))


@main.command(name="doctor")
@_SITE
def doctor_command(configuration: Path) -> None:
    """Check the site and explain in words what is wrong; exit 1 if anything is."""
    findings = doctor.examine(Context.read(configuration))
    for finding in findings:
        click.echo(f"{'ok   ' if finding.good else 'WRONG'} {finding.subject}: {finding.says}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)


@main.group(name="sso")
def sso_commands() -> None:
    """Look after the sign-on."""


@sso_commands.command(name="rotate-keys")
@_SITE
def rotate_keys(configuration: Path) -> None:
    """Make a new key for tokens; it signs from the role's next start, and the old one is still believed."""
    context = Context.read(configuration)
    if not birth.is_born(context.site):
        raise birth.NotBorn
    keys = sso.rotate(context)
    click.echo(f"{keys} keys are published. Restart the role sso to sign with the new one.")


def _authority() -> CAClient:
    configuration = click.get_current_context().find_object(Path)
    if configuration is None:
        raise click.UsageError("--site is missing")
    return CAClient(Context.read(configuration).peer("app", "ca"))


def _remember_site(ctx: click.Context, _parameter: click.Parameter, value: Path) -> None:
    ctx.obj = value


_ca = ca_group(_authority)
_ca.params.append(
    click.Option(
        ["--site"],
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        expose_value=False,
        callback=_remember_site,
        help="The site's configuration file (site.toml).",
    )
)
main.add_command(_ca)
main.add_command(audit_commands)
main.add_command(policy_commands)
main.add_command(seal)
main.add_command(sign)
main.add_command(verify)
