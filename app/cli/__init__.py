# SPDX-License-Identifier: Apache-2.0
"""The command `tallygate`: what an operator, an auditor or an agency types.

A command's modules are loaded when it is asked for: every process of a site starts here, and `serve` needs little.
"""

import importlib
import sys

import click

from core.errors import TallygateError

_COMMANDS = {
    "agencies": "signatures.clerk:agencies",
    "archive": "signatures.clerk:archive",
    "audit": "app.cli.record:audit",
    "ca": "app.cli.authority:ca",
    "compliance": "app.cli.complying:compliance",
    "demo": "app.cli.site:demo",
    "demo-people": "app.cli.site:demo_people",
    "directory": "app.cli.directory:directory",
    "doctor": "app.cli.site:doctor",
    "edge": "app.cli.edge:edge",
    "gateway": "app.cli.edge:gateway",
    "init": "app.cli.site:init",
    "keepers": "signatures.clerk:keepers",
    "policies": "policies.cli:policies",
    "seal": "signatures.cli:seal",
    "serve": "app.cli.roles:serve",
    "sign": "signatures.cli:sign",
    "sso": "app.cli.sign_on:sso",
    "switches": "app.cli.switches:switches",
    "trust-list": "app.cli.trust:trust_list",
    "up": "app.cli.site:up",
    "upgrade": "app.cli.site:upgrade",
    "verify": "signatures.cli:verify",
}
"""Where each command is, as ``module:attribute``."""
_ALSO = {"policy": "policies"}
"""Other names of commands."""


class _Group(click.Group):
    """Loads what is asked for, and turns our errors into one line and exit code 1; a trace would hide what to do."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = _ALSO.get(cmd_name, cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TallygateError as error:
            click.echo(f"tallygate: {error.detail} [{error.code}]", err=True)
        except OSError as error:
            # A file that is missing or closed to us, a full disk: its name and the reason say all there is to say.
            click.echo(f"tallygate: {error}", err=True)
        sys.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name=None, version="0.1.0", prog_name="tallygate")
def main() -> None:
    """Trust infrastructure for an e-government."""
