# SPDX-License-Identifier: Apache-2.0
"""Sign-on's view of the record's table of places: what it cannot read is nowhere, and no login waits for it."""

from pathlib import Path

import pytest

from app.wiring.places import Table

TABLE = """\
[[place]]
name = "Riverside"
latitude = 31.0
longitude = 121.0
networks = ["192.0.2.0/24"]

[[place]]
name = "Hilltop"
latitude = 40.0
longitude = 116.0
networks = ["198.51.100.0/24"]
"""


def test_networks_are_somewhere_and_apart(tmp_path: Path) -> None:
    (tmp_path / "places.toml").write_text(TABLE, "utf-8")
    table = Table(tmp_path / "places.toml")
    assert table.name("192.0.2.0/24") == "Riverside"
    assert table.name("203.0.113.0/24") == ""
    assert 1000 < (table.distance("192.0.2.0/24", "198.51.100.0/24") or 0) < 1200
    assert table.distance("192.0.2.0/24", "203.0.113.0/24") is None


@pytest.mark.parametrize("content", [None, b"\xff", b"[[place]]\nname = 1\n"])
def test_a_table_that_cannot_be_read_names_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "places.toml").write_bytes(content)
    table = Table(tmp_path / "places.toml")
    assert table.name("192.0.2.0/24") == ""
    assert table.distance("192.0.2.0/24", "192.0.2.0/24") is None
