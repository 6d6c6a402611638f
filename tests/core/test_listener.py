# SPDX-License-Identifier: Apache-2.0
"""Whoever sees the file of a socket is answered, and never finds it open to more than was said."""

import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.calls import listening


@pytest.fixture
def path() -> Iterator[Path]:
    """Near the root: the path of a socket is short."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tgl-") as made:
        yield Path(made) / "socket"


def test_nobody_who_sees_the_file_is_refused(path: Path) -> None:
    refused: list[str] = []
    over = threading.Event()

    def knock() -> None:
        while not over.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                try:
                    line.connect(str(path))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    refused.append(str(error))
                    return

    knocker = threading.Thread(target=knock)
    knocker.start()
    # Those whose file is gone stay open: who found the file just before must not meet a closed one.
    with ExitStack() as open_still:
        for _ in range(200):
            open_still.enter_context(listening(path, mode=0o600, backlog=4096))
            path.unlink()
        over.set()
        knocker.join()
    assert not refused


def test_a_dead_predecessors_file_and_draft_are_replaced(path: Path) -> None:
    for name in ("socket", "socket.new"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(path.with_name(name)))
    with listening(path, mode=0o660), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert not path.with_name("socket.new").exists()


def test_a_path_too_long_for_a_socket_leaves_nothing(path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        listening(path.with_name("long" * 40), mode=0o600)
    assert list(path.parent.iterdir()) == []
