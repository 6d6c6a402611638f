# SPDX-License-Identifier: Apache-2.0
"""What is made of files follows them."""

import os
from pathlib import Path

import pytest

from core.fresh import Fresh


def test_it_is_made_once_and_again_when_a_file_is_replaced_or_comes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    made: list[str] = []

    def make() -> str:
        made.append("".join(path.read_text() for path in sorted(tmp_path.iterdir())))
        return made[-1]

    fresh = Fresh(make, lambda: sorted(tmp_path.iterdir()))
    assert (fresh(), fresh(), made) == ("1", "1", ["1"])
    # Of the same length and the same time, as a copy that keeps times.
    before = (tmp_path / "a").stat()
    new = tmp_path.with_suffix(".new")
    new.write_text("2")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(tmp_path / "a")
    assert (fresh(), fresh(), made) == ("2", "2", ["1", "2"])
    (tmp_path / "b").write_text("3")
    assert (fresh(), made) == ("23", ["1", "2", "23"])


def test_what_cannot_be_made_is_not_answered_by_what_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    fresh = Fresh(lambda: int(path.read_text()), lambda: [path])
    assert fresh() == 1
    path.write_text("broken")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            fresh()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        fresh()
    path.write_text("3")
    assert fresh() == 3
