# SPDX-License-Identifier: Apache-2.0
"""What filling the sample city starts ends with it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.ports import free_ports
from app.up import write_configuration

ROOT = Path(__file__).parents[2]
CODE = (
    "import sys; from pathlib import Path; from app.context import Context; from app.demo import _people\n"
    "_people(Context.read(Path(sys.argv[1])))"
)


def _part(parent: int) -> int:
    """The process that enters the people, as soon as it is no copy of its parent and no setpriv any more."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if words[0] == sys.executable and "demo-people" in words:
            return int(pid)
    return 0


def test_a_killed_command_leaves_no_part_of_it_behind() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "site.toml"
        write_configuration(file, free_ports(wishes=()))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([sys.executable, "-c", CODE, str(file)], env=environment) as parent:
            limit = time.monotonic() + 60
            while not (part := _part(parent.pid)):
                assert time.monotonic() < limit
                time.sleep(0.001)
            os.kill(part, signal.SIGSTOP)
            parent.kill()
        while Path(f"/proc/{part}").exists():
            assert time.monotonic() < limit
            time.sleep(0.02)
