# SPDX-License-Identifier: Apache-2.0
"""What did harm at other gateways does none here: one table, by the advisories' own numbers."""

from pathlib import Path

import pytest

from tests.gateway.advisories import LENGTH, PAGE, SECRET, TABLE, WHERE, Advisory, page
from tests.gateway.conftest import City, Reply

ROOT = Path(__file__).parents[2]
SENT = [each for each in TABLE if not each.test]


def _send(city: City, each: Advisory, *more: str) -> Reply:
    where = f"tax.city.localhost:{city.site.ports.external}"
    lines = [*more, *each.lines]
    if not any(line.lower().startswith("connection:") for line in lines):
        lines.append("Connection: close")
    head = "".join(f"{line}\r\n" for line in (f"{each.method} {each.target} HTTP/1.1", f"Host: {where}", *lines))
    body = each.body.replace(WHERE, where)
    head = head.replace(LENGTH, str(len(body))).replace(WHERE, where)
    return city.raw(f"{head}\r\n{body}".encode("latin-1"))


def _at_the_host(reply: Reply) -> bool:
    return b'"at": "portal-tax"' in reply.body


@pytest.mark.parametrize("each", SENT, ids=lambda each: each.number.replace(" ", "-"))
def test_what_did_harm_elsewhere_does_none_here(city: City, each: Advisory) -> None:
    nobody = _send(city, each, "Accept: application/json")
    assert not _at_the_host(nobody)
    assert nobody.status in {400, 401, 403, 404, 411, 501}, nobody.status
    # Nothing that was said made it a public path, or another.
    assert not any(asked.path_public for asked in city.gateway.engine.asked)
    reply = _send(city, each, f"Cookie: {city.gateway.open_session()}", "Accept: application/json")
    if each.refused:
        assert not _at_the_host(reply)
        assert 400 <= reply.status < 500 or reply.status == 501, reply.status
        assert len(city.gateway.engine.asked) == 0
        return
    assert reply.status == 200, reply.body
    said = reply.json()
    assert (said["at"], said["method"], said["target"]) == ("portal-tax", each.method, each.target)
    assert bool(said["body"]) == bool(each.body), "another request in it, or none of it"
    assert b"forged" not in reply.body.replace(b"forged=1", b"")
    # The host still gets who it is, for this very request, and from where.
    (header,) = reply.received("Tallygate-Identity")
    city.gateway.verifier_of("tax.city.localhost").verify(
        header, method=each.method, path=each.target, at=city.gateway.clock.now()
    )
    assert reply.received("X-Forwarded-For") == ["127.0.0.1"]
    assert reply.received("X-Forwarded-Proto") == ["https"]
    assert city.gateway.recorder.events[-1].sealed["path"] == SECRET
    assert city.gateway.recorder.events[-1].sealed["address"] == "127.0.0.1"


def test_every_other_one_has_a_test_of_its_own_and_no_number_stands_twice() -> None:
    assert len(TABLE) >= 30
    assert len({each.number for each in TABLE}) == len(TABLE)
    for each in TABLE:
        if each.test:
            file, _, name = each.test.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), each.test


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.gateway.advisories"
