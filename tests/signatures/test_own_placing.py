# SPDX-License-Identifier: Apache-2.0
"""A seal is put where a person clicks, without scripts, and nothing is sealed before they confirm."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image

from core.db import Database, migrate
from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.pades import pictures
from signatures.pades.drawing import DIAMETER
from signatures.sandbox import ReaderPool
from signatures.service import Placing, Verification
from signatures.store import Store
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import CLERK, COMMITMENTS, Alone, People, TestAuthority, encode, sealing
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import City
from tests.signatures.signing_person import ISSUER, house
from tests.signatures.test_placing import red, with_field

ROOT = Path(__file__).parents[2]
LARGEST = 200 * 1024


@pytest.fixture
def recorder() -> ListRecorder:
    return ListRecorder()


@pytest.fixture
def app(tmp_path: Path, city: City, readers: ReaderPool, recorder: ListRecorder) -> Iterator[Flask]:
    clock = ManualClock()
    home = house(tmp_path, city, readers, clock=clock)
    database = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(database, ROOT / "signatures" / "migrations")
    granting = sealing(
        store=Store(database, encode=encode),
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        recorder=recorder,
        clock=clock,
    )
    granting.establish("tax-bureau")
    verification = Verification(
        readers=readers,
        trust=city.trust,
        lists=city.lists,
        recorder=ListRecorder(),
        commitments=COMMITMENTS,
        clock=clock,
    )
    site = SiteSettings(
        name="city",
        domain="city.localhost",
        title="Jiangcheng",
        title_zh="江城市",
        state=tmp_path,
        ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
    )
    guard = Guard(clock=clock, verifier=verifier())
    shown = web.Shown(home.desk, home.enrolling, issuer=ISSUER, largest=LARGEST)
    parts = [
        web.own(
            home.desk, verification, shown, host=SIGN, account="https://sso.city.localhost/account", largest=LARGEST
        ),
        web.signing(home.enrolling, home.personal, shown),
        web.placing(
            Placing(desk=home.desk, readers=readers, sealing=Alone(granting), people=People()),
            block=home.personal.size_of_block,
            issuer=ISSUER,
        ),
    ]
    yield create(
        "signatures",
        site=site,
        guard=guard,
        session_key=b"s" * 32,
        blueprints=[blueprint(guard, parts, largest=LARGEST)],
        translations=[ROOT / "signatures" / "translations"],
    )
    home.close()
    database.close()


@pytest.fixture
def clerk(app: Flask) -> Visitor:
    return Visitor(app.test_client(), ManualClock(), CLERK, zone="internal", roles=frozenset({"civil-servant"}))


def brought(visitor: Visitor, document: bytes) -> str:
    answer = visitor.post("/my/documents", document=(io.BytesIO(document), "notice.pdf"))
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def hidden(page: str, name: str) -> str:
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', page)
    assert found, name
    return found.group(1)


def picture_of(page: str) -> str:
    found = re.search(r'type="image" name="at" src="([^"]+)"', page)
    assert found
    return found.group(1).replace("&amp;", "&")


def test_a_click_says_where_and_the_seal_then_stands_there(clerk: Visitor, recorder: ListRecorder) -> None:
    at = brought(clerk, documents.permit(pages=2))
    first = clerk.get(f"{at}/place").text
    assert "Page 2 of 2" in first
    # The middle of the seal stands where the person pointed: 100 of 300 elements from the left, 200 from above.
    chosen = clerk.get(f"{at}/place?page=1&size=small&left=10&up=10&at.x=100&at.y=200").text
    scale = 595.28 / 300
    x, y = 100 * scale - DIAMETER / 2, 841.89 - 200 * scale - DIAMETER / 2
    assert (float(hidden(chosen, "x")), float(hidden(chosen, "y"))) == pytest.approx((x, y), abs=1)
    drawn = clerk.get(picture_of(chosen))
    assert (drawn.status_code, drawn.mimetype, drawn.headers["Cache-Control"]) == (200, "image/png", "no-store")
    image = Image.open(io.BytesIO(drawn.data))
    assert image.width == 600
    edge = round(x * 600 / 595.28) + 1
    assert image.getpixel((edge, round((841.89 - y - 60) * 600 / 595.28))) == (0x12, 0x3A, 0x9E)
    assert recorder.types() == []
    answer = clerk.post(
        f"{at}/seal", form_at=f"{at}/place", organisation="tax-bureau", page="1", x=f"{x:.2f}", y=f"{y:.2f}"
    )
    assert answer.status_code == 303
    assert recorder.types() == ["signature.intended"]
    assert recorder.events[0].attributes["caller"] == "sign"
    sealed = clerk.get(f"{answer.headers['Location']}/file").data
    assert red(sealed, 1) == pytest.approx((x, y, DIAMETER, DIAMETER), abs=3)
    assert "trusted" in clerk.get(str(answer.headers["Location"])).text


def test_numbers_fields_and_edges(clerk: Visitor) -> None:
    at = brought(clerk, with_field(documents.permit()))
    said = clerk.get(f"{at}/place?page=1&left=20&up=30").text
    assert float(hidden(said, "x")) == pytest.approx(20 * 72 / 25.4, abs=0.1)
    # Enter on the picture is no click; a place beyond the edge is moved back onto the page.
    assert hidden(clerk.get(f"{at}/place?page=1&left=20&up=30&at.x=0&at.y=0").text, "x") == hidden(said, "x")
    moved = clerk.get(f"{at}/place?page=1&left=999&up=999").text
    assert float(hidden(moved, "x")) == pytest.approx(595.28 - DIAMETER, abs=0.1)
    field = clerk.get(f"{at}/place?field=approval").text
    assert hidden(field, "field") == "approval"
    answer = clerk.post(f"{at}/seal", form_at=f"{at}/place", organisation="tax-bureau", field="approval", code="yes")
    assert answer.status_code == 303
    for wrong in ("page=x", "size=huge", "left=1e9", "at.x=%00", "page=99"):
        assert clerk.get(f"{at}/place?left=1&up=1&{wrong}").status_code == 400
    assert "在此处盖章" in clerk.get(f"{at}/place?lang=zh").text


def test_a_refusal_is_told_on_the_page_and_nobody_else_sees_it(
    clerk: Visitor, app: Flask, recorder: ListRecorder
) -> None:
    at = brought(clerk, documents.permit())
    refused = clerk.post(f"{at}/seal", form_at=f"{at}/place", organisation="silk-company", page="1", x="10", y="10")
    assert refused.status_code == 403
    assert "You may not use the seal of this organisation." in refused.text
    assert recorder.types() == ["signature.refused"]
    off = clerk.post(f"{at}/seal", form_at=f"{at}/place", organisation="tax-bureau", page="1", x="590", y="10")
    assert (off.status_code, "beyond the edge" in off.text) == (400, True)
    other = Visitor(app.test_client(), ManualClock())
    for path in (f"{at}/place", f"{at}/picture"):
        assert other.get(path).status_code == 404
    token = clerk.post(f"{at}/seal", form_at="", organisation="tax-bureau", page="1", x="10", y="10")
    assert token.status_code in {400, 403}


def test_a_person_sees_every_page_chooses_the_place_and_the_block_with_its_code_stands_there(
    app: Flask,
) -> None:
    wang = Visitor(app.test_client(), ManualClock())
    document = documents.permit(pages=8)
    at = brought(wang, document)
    identifier = at.rpartition("/")[2]
    assert "You have no certificate for signing" in wang.get(f"{at}/place?what=own").text
    wang.post("/my/certificate", agree="yes")
    sign = {"document": identifier, "page": "7", "x": "60", "y": "300"}
    # What nobody looked at is not signed, and half a look is none.
    assert wang.post("/my/sign", **sign).status_code == 409
    first = wang.get(at).text
    assert first.count('<img class="sheet"') == 6
    assert "looked at every page" in first
    unseen = wang.post("/my/sign", **sign)
    assert (unseen.status_code, "look at every page" in unseen.text) == (409, True)
    rest = wang.get(f"{at}?page=7").text
    assert (rest.count('<img class="sheet"'), "Sign this document" in rest) == (2, True)
    shown = re.findall(r'<img class="sheet" src="([^"]+)"', rest)
    assert wang.get(shown[0].replace("&amp;", "&")).mimetype == "image/png"
    assert [wang.get(f"{at}?page={wrong}").status_code for wrong in ("0", "9", "x")] == [400, 400, 400]
    place = wang.get(f"{at}/place?what=own&page=7&left=10&up=10&at.x=150&at.y=200")
    assert f"form-action 'self' {ISSUER}" in place.headers["Content-Security-Policy"]
    sign |= {"x": hidden(place.text, "x"), "y": hidden(place.text, "y")}
    state = wang.post("/my/sign", **sign).headers["Location"].rpartition("=")[2]
    done = wang.get(f"/my/callback?state={state}&code={state}&iss={ISSUER}").headers["Location"]
    signed = wang.get(f"{done.partition('?')[0]}/file").data
    assert signed.startswith(document)
    drawn = pictures.picture(signed, page=7, across=1200)
    (read,) = documents.squares(drawn.png)
    assert read.text == f"https://verify.city.localhost/?document={COMMITMENTS.of(document)}"
    # In the right half of the block, whose middle was pointed at: 150 of 300 from the left, 200 of 424 from above.
    assert 600 < read.position.top_left.x < 1000
    assert 600 < read.position.top_left.y < 800
    assert documents.squares(pictures.picture(signed, page=8, across=1200).png) == []


def test_whoever_downloaded_a_document_has_seen_it_and_another_browser_has_not(app: Flask) -> None:
    wang, elsewhere = Visitor(app.test_client(), ManualClock()), Visitor(app.test_client(), ManualClock())
    at = brought(wang, documents.permit(pages=7))
    wang.post("/my/certificate", agree="yes")
    wang.get(f"{at}/file")
    assert 'type="checkbox"' in wang.get("/my/").text
    assert 'type="checkbox"' not in elsewhere.get("/my/").text
    assert elsewhere.post("/my/sign", document=at.rpartition("/")[2]).status_code == 409
    off = {"document": at.rpartition("/")[2], "page": "1", "x": "590", "y": "10"}
    state = wang.post("/my/sign", **off).headers["Location"].rpartition("=")[2]
    refused = wang.get(f"/my/callback?state={state}&code={state}&iss={ISSUER}")
    assert (refused.status_code, "beyond the edge" in refused.text) == (400, True)
