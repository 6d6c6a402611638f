# SPDX-License-Identifier: Apache-2.0
"""The page of retention: what is kept, what the next run drops, and changes that two officers make."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from audit.events import Retention
from audit.retention import ClockDoubted
from core.identity import HEADER
from gateway.config import GatewaySettings
from tests.fakes.audit_console import HOST, ConsoleFake

ORIGIN = f"https://{HOST}"


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.retention.retaining.round()
    return made


def sent(fake: ConsoleFake, path: str, **form: str) -> TestResponse:
    """A form of the page, as a browser sends it."""
    client, asked = fake.client(), {"REQUEST_URI": "/retention"}
    page = client.get(
        "/retention", headers={HEADER: fake.header("/retention")}, base_url=ORIGIN, environ_overrides=asked
    )
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    return client.post(
        path,
        data={"csrf_token": token[1], **form},
        headers={HEADER: fake.header(path, method="POST"), "Referer": f"{ORIGIN}/retention", "Origin": ORIGIN},
        base_url=ORIGIN,
        environ_overrides={"REQUEST_URI": path},
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_what_is_kept_and_what_goes(fake: ConsoleFake, language: str) -> None:
    house = fake.retention
    house.take()
    house.live(40)
    house.clock.advance(timedelta(days=182))
    house.retaining.survey()
    text = fake.get(f"/retention?lang={language}").get_data(as_text=True)
    assert "access-2026Q4" in text
    assert "180" in text
    assert ("Keys of personal parts: access-2026Q4" in text) == (language == "en")
    with pytest.raises(ClockDoubted):
        house.retaining.round()
    text = fake.get(f"/retention?lang={language}").get_data(as_text=True)
    assert 'role="alert"' in text
    assert fake.log.events[-1].attributes["view"] == "retention"


def test_the_page_computes_nothing_and_says_how_old_it_is(fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
    house = fake.retention
    house.take(300)
    house.live(2)

    def asked(*_given: object, **_more: object) -> None:
        raise AssertionError

    # Whatever grows with the log is not touched while an officer waits.
    with monkeypatch.context() as patched:
        for name in ("seals", "seal_bytes", "index", "expired", "used", "free", "before"):
            patched.setattr(house, name, asked)
        house.clock.advance(timedelta(hours=5))
        text = fake.get("/retention").get_data(as_text=True)
        assert "As of 2026-11-22 08:00:00 UTC." in text
        assert "2026-11-23 08:00:00" in text
        assert sent(fake, "/retention/access", days="400").status_code == 303
        text = fake.get("/retention").get_data(as_text=True)
        assert "A term was changed since" in text
    house.retaining.refresh()
    text = fake.get("/retention").get_data(as_text=True)
    assert "As of 2026-11-22 13:00:00 UTC." in text
    assert "A term was changed since" not in text
    # The run keeps its own time, and so does the next one.
    assert "2026-11-23 08:00:00" in text
    with monkeypatch.context() as patched:
        patched.setattr(house, "used", asked)
        house.retaining.refresh()


def test_before_anybody_looked_the_page_says_so(tmp_path: Path) -> None:
    fake = ConsoleFake(tmp_path)
    text = fake.get("/retention").get_data(as_text=True)
    assert "Nobody has looked yet" in text
    assert "尚未检查" in fake.get("/retention?lang=zh").get_data(as_text=True)


def test_an_officer_confirms_and_the_run_goes_on(fake: ConsoleFake) -> None:
    house = fake.retention
    assert sent(fake, "/retention/confirm").status_code == 409
    house.take()
    house.clock.advance(timedelta(days=400))
    with pytest.raises(ClockDoubted):
        house.retaining.round()
    assert sent(fake, "/retention/confirm").status_code == 303
    house.retaining.round()
    assert house.seals() == []


def test_a_term_changes_with_the_consent_of_a_second_officer_only(fake: ConsoleFake) -> None:
    terms = fake.retention.retaining.terms
    assert sent(fake, "/retention/access", days="400").status_code == 303
    assert terms()[Retention.ACCESS] == 400
    fake.consented = False
    assert sent(fake, "/retention/access", days="500").status_code == 403
    assert terms()[Retention.ACCESS] == 400
    for days in ("179", "-1", "²", "99999", "x", ""):
        assert sent(fake, "/retention/access", days=days).status_code == 400
    assert sent(fake, "/retention/other", days="400").status_code == 404
    assert fake.get("/retention", roles=("audit-administrator",)).status_code == 403


def test_below_what_is_pruned_is_a_public_fact(fake: ConsoleFake) -> None:
    assert fake.public("/pruned").status_code == 404
    house = fake.retention
    house.take(800)
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.take()
    house.retaining.round()
    fake.log.pruning = house.site.reader().pruned()
    for path in ("/pruned", "/mirror/pruned"):
        answer = fake.public(path)
        assert answer.get_data(as_text=True).startswith("tallygate/pruned/v1\ncity.example/log\n512\n")
    assert fake.public("/logs/other/pruned").status_code == 404
    # Outsiders come through the gateway.
    assert "/pruned" in GatewaySettings().open_hosts["log"].paths
