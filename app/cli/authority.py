# SPDX-License-Identifier: Apache-2.0
"""`tallygate ca`: the authority's own commands, told which site they are about."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from audit import Recorder
from ca import CASettings
from ca.ceremony import Place
from ca.cli import group
from ca.client import CAClient

from .. import holding
from ..context import Context
from ..errors import NotBorn
from ..users import Users
from ..wiring import founding
from .options import SITE_FILE, SITE_HELP


class _Hall:
    """The operator's machine."""

    def __init__(self, configuration: Path) -> None:
        self._context = Context.read(configuration)
        self._configuration = configuration

    def place(self, shares: Callable[[], list[str]], shares_to: Path | None) -> Place:
        context = self._context
        settings = context.settings("ca", CASettings)
        return Place(
            site=context.site,
            settings=settings,
            clock=context.clock,
            shares=shares,
            shares_to=shares_to,
            authority=lambda recorder: founding.opened(context, recorder),
            own=lambda folder, holder: Users.detect().give(folder, holder),
        )

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Over the log's socket; while the site is off, the log alone is started for it."""
        if not holding.is_born(self._context.site):
            raise NotBorn
        with ExitStack() as stack:
            try:
                stack.enter_context(holding.alone(self._configuration))
            except holding.AlreadyUp:
                pass
            else:
                stack.enter_context(holding.log_alone(self._context))
            yield self._context.recorder("app")


def _site() -> Path:
    configuration = click.get_current_context().find_object(Path)
    if configuration is None:
        raise click.UsageError("--site is missing")
    return configuration


def _authority() -> CAClient:
    return CAClient(Context.read(_site()).peer("app", "ca"))


def _remember_site(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    ctx.obj = value


ca = group(_authority, lambda: _Hall(_site()))
ca.params.append(
    # Demanded when it is needed, so that a command's help can be read without a site.
    click.Option(["--site"], type=SITE_FILE, expose_value=False, callback=_remember_site, help=SITE_HELP)
)
