# SPDX-License-Identifier: Apache-2.0
"""Where operator and custodians sit at a ceremony by its file."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from audit import Recorder
from ca.ceremony import Place, offline
from ca.ceremony.shares import combine, read_share
from ca.cli import group
from ca.client import CAClient
from ca.errors import KeyUnusable, ShareRefused

from .world import World

CUSTODY = 'kind = "custody"\nsite = "city"\ntitle = "Divide the root\'s passphrase"\n'
LIST = 'kind = "root-list"\nsite = "city"\ntitle = "Yearly list"\n'


@dataclass
class Hall:
    world: World

    def place(self, shares: Callable[[], list[str]], shares_to: Path | None) -> Place:
        world = self.world
        return Place(
            site=world.site,
            settings=world.settings,
            clock=world.clock,
            shares=shares,
            shares_to=shares_to,
            authority=lambda _: world.open(),
        )

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        yield self.world.recorder


class Table:
    """Where operator and custodians sit."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.shares = folder / "shares"
        self.offline = world.site.state / "offline"

    def run(self, script: str, *options: str, typed: str = "", hold: bool = False) -> Result:
        path = self.folder / "ceremony.toml"
        path.write_text(script, "utf-8")
        if hold:
            options = ("--hold", hashlib.sha256(script.encode()).hexdigest(), *options)
        path.with_suffix(".transcript").unlink(missing_ok=True)
        commands = group(_no_client, lambda: Hall(self.world))
        given = ["ceremony", str(path), "--shares-to", str(self.shares), *options]
        return CliRunner().invoke(commands, given, input=typed, catch_exceptions=True)

    def held(self, script: str, *options: str, typed: str = "") -> str:
        done = self.run(script, *options, typed=typed, hold=True)
        assert done.exit_code == 0, (done.output, done.exception)
        transcript = (self.folder / "ceremony.transcript").read_text("utf-8")
        assert done.output.endswith(transcript)
        return transcript

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.world.site.state.rglob("*") if path.is_file()}

    def opens(self, *numbers: int) -> bool:
        kept = [read_share((self.shares / f"share-{number}.txt").read_text("ascii")) for number in numbers]
        try:
            offline.opened((self.offline / "root.key").read_bytes(), combine(kept))
        except (KeyUnusable, ShareRefused):
            return False
        return True


def _no_client() -> CAClient:
    raise AssertionError("a ceremony asks no role")
