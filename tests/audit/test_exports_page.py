# SPDX-License-Identifier: Apache-2.0
"""The page of exports: how targets stand, and what officers do to them, each recorded first."""

import re
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from audit.exports import SignedExport
from core.identity import HEADER
from tests.fakes.audit_console import HOST, OFFICER, ConsoleFake

ORIGIN = f"https://{HOST}"


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


def sent(fake: ConsoleFake, path: str, **form: str) -> TestResponse:
    """A form of the page, as a browser sends it."""
    client = fake.client()
    page = client.get(
        "/exports",
        headers={HEADER: fake.header("/exports")},
        base_url=ORIGIN,
        environ_overrides={"REQUEST_URI": "/exports"},
    )
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    return client.post(
        path,
        data={"csrf_token": token[1], **form},
        headers={HEADER: fake.header(path, method="POST"), "Referer": f"{ORIGIN}/exports", "Origin": ORIGIN},
        base_url=ORIGIN,
        environ_overrides={"REQUEST_URI": path},
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_target_says_how_it_stands(fake: ConsoleFake, language: str) -> None:
    fake.export_store.replay("siem", 12)
    cursor = fake.export_store.cursor("siem")
    fake.export_store.failed(cursor, code="export_peer_untrusted", why="<b>unable</b>", at=1_800_000_000)
    text = fake.get(f"/exports?lang={language}").get_data(as_text=True)
    assert "tls://siem.city.localhost:6514" in text
    assert "&lt;b&gt;unable" in text
    assert "<b>unable" not in text
    assert ("Next entry" in text) == (language == "en")
    assert fake.log.events[-1].attributes["view"] == "exports"


def test_only_officers_come_here(fake: ConsoleFake) -> None:
    assert fake.get("/exports", roles=("audit-administrator",)).status_code == 403
    assert fake.public("/exports").status_code in (302, 303, 401)


def test_what_officers_do_is_recorded_and_done(fake: ConsoleFake) -> None:
    assert sent(fake, "/exports/siem/pause").status_code == 303
    assert fake.export_store.cursor("siem").paused
    assert sent(fake, "/exports/siem/resume").status_code == 303
    assert sent(fake, "/exports/siem/replay", first="3").status_code == 303
    assert fake.export_store.cursor("siem").next == 3
    assert sent(fake, "/exports/court/allow").status_code == 303
    assert fake.export_store.cursor("court").warrant == "00ff00ff00ff00ff"
    assert sent(fake, "/exports/court/forbid").status_code == 303
    assert fake.export_store.cursor("court").allowed_until == 0
    kinds = [event.type for event in fake.log.events if event.type.startswith("audit.export.")]
    assert kinds == [f"audit.export.{name}" for name in ("paused", "resumed", "replayed", "allowed", "forbidden")]
    assert {event.actor for event in fake.log.events if event.type.startswith("audit.export.")} == {OFFICER}


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/exports/other/pause", {}, 404),
        ("/exports/siem/allow", {}, 404),
        ("/exports/siem/replay", {"first": "99999"}, 400),
        ("/exports/siem/replay", {"first": "-1"}, 400),
        ("/exports/siem/replay", {"first": "²"}, 400),
        ("/exports/siem/replay", {"first": "1" * 17}, 400),
        ("/exports/siem/replay", {}, 400),
        ("/exports/siem/burn", {}, 404),
    ],
)
def test_what_cannot_be_meant_changes_nothing(fake: ConsoleFake, path: str, form: dict[str, str], status: int) -> None:
    assert sent(fake, path, **form).status_code == status
    assert fake.export_store.cursor("siem").moved == 0


def test_without_a_second_officer_no_personal_part_may_leave(fake: ConsoleFake) -> None:
    fake.consented = False
    assert sent(fake, "/exports/court/allow").status_code == 403
    assert fake.export_store.cursor("court").allowed_until == 0


def test_a_form_from_elsewhere_changes_nothing(fake: ConsoleFake) -> None:
    path = "/exports/siem/pause"
    answer = fake.client().post(
        path, headers={HEADER: fake.header(path, method="POST")}, environ_overrides={"REQUEST_URI": path}
    )
    assert answer.status_code in (400, 403)
    assert not fake.export_store.cursor("siem").paused


def test_a_look_that_cannot_be_recorded_shows_nothing(fake: ConsoleFake) -> None:
    fake.log.down = True
    assert fake.get("/exports").status_code == 503


def test_a_signed_export_is_handed_out_and_recorded(fake: ConsoleFake, tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "city.zip").write_bytes(b"PK")
    fake.export_store.add_signed(SignedExport(first=0, last=9, name="city.zip", note="n", checkpoint="c", at=1))
    assert fake.get("/exports/signed/0.zip").status_code == 403
    fake.grant("range:0-9", kind="export")
    answer = fake.get("/exports/signed/0.zip")
    assert (answer.status_code, answer.data) == (200, b"PK")
    told = fake.log.events[-1]
    assert (told.type, told.attributes["first"], told.attributes["count"]) == ("audit.read", 0, 10)
    for path in ("/exports/signed/1.zip", "/exports/signed/00.zip", "/exports/signed/x.zip"):
        assert fake.get(path).status_code == 404
