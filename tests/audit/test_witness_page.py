# SPDX-License-Identifier: Apache-2.0
"""The page of witnesses: whether enough cosign, how each stands, and whom this site witnesses."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.merkle import Checkpoint
from audit.witness import BadSubmission, Inconsistent, State, WitnessStatus
from audit.witness.status import Standing
from audit.witness.submission import submission
from audit.witness.words import STAND_TONES, STANDS
from tests.fakes.audit_console import WITNESSED, ConsoleFake


class Told(ConsoleFake):
    """A console whose log says how its witnesses stand."""

    status: WitnessStatus | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.console._witnesses = lambda: self.status
        now = self.clock.now()
        self.good = WitnessStatus(
            met=True,
            since=now - timedelta(hours=2),
            at=now,
            asked=40,
            witnessed=40,
            witnesses=(
                Standing(name="north", state=State.COSIGNED, size=40, at=now),
                Standing(name="<b>south</b>", state=State.SILENT),
            ),
        )


@pytest.fixture
def fake(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_where_nobody_is_asked_the_page_says_so(fake: Told) -> None:
    assert "Nobody is asked to witness this record." in fake.get("/witnesses").text
    assert 'class="notice bad"' not in fake.get("/").text
    assert "没有请任何人见证本日志" in fake.get("/witnesses?lang=zh").text
    assert fake.public("/readyz").text == "ready\n"


def test_a_good_standing_is_told(fake: Told) -> None:
    fake.status = fake.good
    page = fake.get("/witnesses").text
    for said in (
        "Enough witnesses have cosigned the first 40 entries.",
        "has cosigned",
        "does not answer",
        "&lt;b&gt;",
    ):
        assert said in page
    assert "足够的见证方已联署前 40 条记录。" in fake.get("/witnesses?lang=zh").text
    assert "cosign this record." not in fake.get("/").text
    fake.log.events = fake.log.events[:1]
    fake.status = replace(fake.good, witnessed=0)
    assert fake.public("/readyz").text == "ready\nwitness_quorum 1\nwitness_behind 1\n"


@pytest.mark.parametrize("path", ["/", "/witnesses"])
def test_a_missing_quorum_is_told_plainly(fake: Told, path: str) -> None:
    for status in (replace(fake.good, met=False), WitnessStatus.unknown()):
        fake.status = status
        assert "Too few witnesses cosign this record." in fake.get(path).text
        assert "联署本日志的见证方不足。" in fake.get(path + "?lang=zh").text
    assert "witness_quorum 0" in fake.public("/readyz").text


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_in_both_languages(fake: Told, state: State) -> None:
    fake.status = replace(fake.good, witnesses=(Standing(name="w", state=state),))
    english, chinese = (fake.get("/witnesses" + query).text for query in ("", "?lang=zh"))
    assert STANDS[state].replace("'", "&#39;") in english
    assert STANDS[state] not in chinese
    assert STAND_TONES[state] in {"good", "warn", "bad"}


def test_whom_this_site_witnesses_and_who_contradicted_themselves(fake: Told) -> None:
    page = fake.get("/witnesses").text
    assert "other.example/log" in page
    for vkey in fake.witness.keys:
        assert str(vkey).replace("+", "&#43;") in page or str(vkey) in page
    for size, root in ((3, b"a" * 32), (3, b"b" * 32)):
        note = Checkpoint(WITNESSED.origin, size, root).sign(WITNESSED, fake.clock.now())
        try:
            fake.witness.add_checkpoint(submission(0 if root[:1] == b"a" else 3, [], note))
        except Inconsistent:
            continue
    with pytest.raises(BadSubmission):
        fake.witness.add_checkpoint(b"")
    page = fake.get("/witnesses").text
    assert "The log other.example/log has signed two histories of 3 entries." in page
    assert "日志 other.example/log 为 3 条记录签署了两段不同的历史。" in fake.get("/witnesses?lang=zh").text


def test_looking_is_recorded_and_only_for_officers(fake: Told) -> None:
    before = fake.log.size()
    assert fake.get("/witnesses").status_code == 200
    assert fake.log.events[-1].attributes == {"view": "witnesses"}
    assert fake.log.size() == before + 1
    assert fake.public("/witnesses").status_code == 401
    assert fake.get("/witnesses", roles=("citizen",)).status_code == 403
    fake.log.down = True
    assert fake.get("/witnesses").status_code == 503


def test_the_cosigned_checkpoint_is_public(fake: Told) -> None:
    nothing = fake.public("/witnessed")
    assert (nothing.status_code, (nothing.json or {})["code"]) == (404, "nothing_witnessed")
    fake.log.cosigned = b"a note"
    answer = fake.public("/witnessed")
    assert (answer.data, answer.headers["Cache-Control"]) == (b"a note", "public, max-age=1")
