# SPDX-License-Identifier: Apache-2.0
"""The page of time-stamps, as officers see it."""

from datetime import timedelta
from pathlib import Path

import pytest

from audit.merkle import Note, Signature
from audit.stamps import LogStamps, Outage, Stamped, StampStore
from tests.fakes.audit_console import ConsoleFake


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    fake = ConsoleFake(tmp_path)
    fake.fill()
    return fake


def keep(fake: ConsoleFake, note: str = "note", *, store: StampStore | None = None, size: int | None = None) -> None:
    now = fake.clock.now()
    stamped = Stamped(
        token=b"token", at=now, accuracy=timedelta(seconds=1), authority="CN=<b>Clock</b>", serial="77",
        policy="1.2.3", ends=now + timedelta(days=9),
    )  # fmt: skip
    (store or fake.stamps).keep(size or fake.log.size(), note, stamped, kept=now)


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


def test_stamps_of_closed_logs_are_shown_on_and_each_token_is_found(fake: ConsoleFake, tmp_path: Path) -> None:
    signature = Signature("city.example/log", b"1234", b"x")
    note = str(Note(f"city.example/log\n{fake.log.size()}\n{'A' * 43}=\n", (signature,)))
    keep(fake, note)
    after = StampStore.open(tmp_path / "stamps-2.db")
    for size in range(1, 53):
        keep(fake, note, store=after, size=size)
    base = fake.log.size() + 1
    fake.series.logs = (*fake.series.logs, LogStamps(name="log-2", base=base, store=after))
    page = fake.get("/stamps").text
    assert f"covers the first {base + 52} entries" in page
    assert "log-2, its first 52" in page
    assert f'href="/stamps?before={base + 3}"' in page
    older = fake.get(f"/stamps?before={base + 3}").text
    assert "log-2, its first 2" in older
    assert f"log, its first {base - 1}" in older
    assert f"/stamps/{base - 1}.tst" in older
    assert "Newest stamps" in older
    answer = fake.get(f"/stamps/{base - 1}.txt")
    assert answer.data == Note.parse(note.encode()).text.encode()
    assert f"log-checkpoint-{base - 1}.txt" in answer.headers["Content-Disposition"]
    assert fake.get(f"/stamps/{base + 7}.tst").data == b"token"
    assert fake.get(f"/stamps/{base}.txt").status_code == 404
    assert fake.get("/stamps?before=x").status_code == 404
    after.close()
