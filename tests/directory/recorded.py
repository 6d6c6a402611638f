# SPDX-License-Identifier: Apache-2.0
"""The audit role over a log in memory, asked by the directory as its peer."""

from core.calls import Answer
from core.errors import from_problem
from tests.directory.world import World
from tests.fakes.audit_console import ConsoleFake


class Record:
    """The audit role over a log in memory, which is given what this role told so far."""

    def __init__(self, console: ConsoleFake, world: World) -> None:
        self.console = console
        self.world = world
        self.asked: list[str] = []

    def call(self, method: str, path: str) -> Answer:
        assert method == "GET"
        self.asked.append(path)
        for told in (*self.world.outbox(), *self.world.recorder.events):
            self.console.log.record(told)
        self.world.clear()
        found = self.console.peer(path, caller="directory")
        if found.status_code >= 400:
            # As core.calls.Peer turns a problem back.
            raise from_problem(found.status_code, found.get_json())
        return Answer(found.status_code, {}, found.data)
