# SPDX-License-Identifier: Apache-2.0
"""The page of what is shut: asked for there, decided elsewhere, and read with a trace."""

from pathlib import Path

import pytest

from audit.models import Reader
from tests.fakes.audit_console import SECOND, ConsoleFake

AUDITOR = Reader(subject=SECOND, roles=frozenset({"audit-administrator"}))


@pytest.fixture
def console(tmp_path: Path) -> ConsoleFake:
    fake = ConsoleFake(tmp_path)
    fake.fill()
    return fake


def test_from_the_form_to_the_list_and_back(console: ConsoleFake) -> None:
    empty = console.get("/switches")
    assert "Nothing is shut." in empty.text
    assert '<option value="zones=external:internal" lang="en">external:internal</option>' in empty.text
    form = {"name": "portal=tax", "lasts": "4h", "purpose": "Ticket 17: data leak"}
    asked = console.post("/switches", form)
    assert asked.status_code == 303
    warrant = asked.location.partition("?")[0]
    # Nobody is told that it is shut before it is.
    assert "Nothing is shut." in console.get("/switches").text
    console.warrants.approve(AUDITOR, warrant.rpartition("/")[2])
    assert console.post(f"{warrant}/act", {}).status_code == 303
    for roles in (("security-officer",), ("audit-administrator",)):
        shown = console.get("/switches", roles=roles).text
        assert "Ticket 17: data leak" in shown
        assert "kind=reopen&amp;scope=switch:portal=tax" in shown
        assert SECOND[:8] in shown
        assert '<option value="portal=tax">' not in shown
    assert "当前已关闭的内容" in console.get("/switches?lang=zh").text
    read = [each for each in console.log.events if each.type == "audit.warrant.read"][-1]
    assert read.attributes["switches"] == 1
    again = console.post("/switches", form)
    assert again.status_code == 409
    assert "is shut already" in again.text
    wrong = console.post("/warrants", {"kind": "shut", "about": "switch", "which": "portal=taxx", "purpose": "Ticket"})
    assert wrong.status_code == 404
    assert "This site has nothing called “portal=taxx”" in wrong.text
    opened = {"kind": "reopen", "about": "switch", "which": "portal=social", "purpose": "Ticket"}
    assert console.post("/warrants", opened).status_code == 409


def test_nothing_is_shown_that_could_not_be_recorded_and_nobody_else_sees_it(console: ConsoleFake) -> None:
    assert console.get("/switches", roles=("directory-administrator",)).status_code == 403
    console.log.down = True
    assert console.get("/switches").status_code == 503
    assert console.post("/switches", {"name": "writing", "lasts": "", "purpose": "Ticket 17"}).status_code == 503
