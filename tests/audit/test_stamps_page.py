# SPDX-License-Identifier: Apache-2.0
"""The page of time-stamps, as officers see it."""

from datetime import timedelta
from pathlib import Path

import pytest

from audit.stamps import Outage, Stamped
from tests.fakes.audit_console import ConsoleFake


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    fake = ConsoleFake(tmp_path)
    fake.fill()
    return fake


def keep(fake: ConsoleFake) -> None:
    now = fake.clock.now()
    stamped = Stamped(
        token=b"token", at=now, accuracy=timedelta(seconds=1), authority="CN=<b>Clock</b>", serial="77",
        policy="1.2.3", ends=now + timedelta(days=9),
    )  # fmt: skip
    fake.stamps.keep(fake.log.size(), "note", stamped, kept=now)


def test_the_page_tells_the_last_stamp_its_authority_and_its_age(fake: ConsoleFake) -> None:
    assert "Nothing has been stamped yet." in fake.get("/stamps").text
    size = fake.log.size()
    keep(fake)
    fake.clock.advance(timedelta(hours=2, minutes=5))
    page = fake.get("/stamps").text
    assert f"covers the first {size} entries and is 2 h 5 min old" in page
    assert "CN=&lt;b&gt;Clock&lt;/b&gt;" in page
    assert f"覆盖前 {size} 条记录" in fake.get("/stamps?lang=zh").text
    assert fake.log.events[-1].attributes["view"] == "stamps"
    assert fake.get(f"/stamps/{size}.tst").data == b"token"
    assert fake.get(f"/stamps/{size - 1}.tst").status_code == 404
    assert fake.get("/stamps", roles=("civil-servant",)).status_code == 403


def test_an_outage_is_told_with_its_reason(fake: ConsoleFake) -> None:
    keep(fake)
    fake.stamps.failed(Outage(since=fake.clock.now(), code="stamp_refused", why="its time is <odd>", key="0" * 32))
    page = fake.get("/stamps").text
    assert 'role="alert"' in page
    assert "its time is &lt;odd&gt;" in page
    keep(fake)
    assert 'role="alert"' not in fake.get("/stamps").text


def test_without_a_record_nothing_is_shown(fake: ConsoleFake) -> None:
    keep(fake)
    fake.log.down = True
    assert fake.get("/stamps").status_code == 503
    assert fake.get(f"/stamps/{fake.log.size()}.tst").status_code == 503
