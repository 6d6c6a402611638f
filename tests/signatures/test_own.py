# SPDX-License-Identifier: Apache-2.0
"""The host ``sign``: a person brings a document, sees what it is, and nobody else does."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from reportlab.pdfgen.canvas import Canvas

from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.sandbox import ReaderPool
from signatures.service import Verification
from signatures.service.commitment import Commitments
from signatures.service.desk import name_of_file
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, forgeries
from tests.signatures.fakes import CLERK, reports
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import City
from tests.signatures.signing_person import ISSUER, house

ROOT = Path(__file__).parents[2]
LARGEST = 200 * 1024


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def app(tmp_path: Path, city: City, readers: ReaderPool, clock: ManualClock) -> Iterator[Flask]:
    home = house(tmp_path, city, readers, most=2, clock=clock)
    verification = Verification(
        readers=readers,
        trust=city.trust,
        lists=city.lists,
        recorder=ListRecorder(),
        commitments=Commitments(b"k" * 32),
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
        web.verifying(verification, reports(), largest=LARGEST),
        web.comparing(verification, largest=LARGEST),
        web.own(
            home.desk,
            verification,
            shown,
            host=SIGN,
            account="https://sso.city.localhost/account",
            largest=LARGEST,
        ),
        web.signing(home.enrolling, home.personal, shown),
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


@pytest.fixture
def wang(app: Flask, clock: ManualClock) -> Visitor:
    return Visitor(app.test_client(), clock)


def _titled(title: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setTitle(title)
    canvas.drawString(72, 700, "Permit")
    canvas.save()
    return buffer.getvalue()


def _bring(visitor: Visitor, document: bytes, name: str = "permit.pdf") -> str:
    answer = visitor.post("/my/documents", document=(io.BytesIO(document), name))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_a_person_brings_a_document_and_sees_title_pages_and_hash(wang: Visitor) -> None:
    document = _titled("城市通行证\u202e")
    page = _bring(wang, document)
    shown = wang.get(page).text
    assert "<dd>城市通行证</dd>" in shown
    assert "permit.pdf</h1>" in shown
    assert hashlib.sha256(document).hexdigest() in shown
    assert "<dd>1</dd>" in shown
    assert "城市通行证" in wang.get("/my/").text
    file = wang.get(f"{page}/file")
    assert (file.data, file.headers["Cache-Control"]) == (document, "no-store")
    assert file.headers["Content-Disposition"].startswith("attachment;")


def test_a_signed_document_is_shown_with_its_verdict(wang: Visitor, sealed: bytes) -> None:
    good = wang.get(_bring(wang, sealed)).text
    assert 'class="notice good"' in good
    bad = wang.get(_bring(wang, documents.one_byte_changed(sealed))).text
    assert 'class="notice bad"' in bad


def test_nobody_else_sees_it_and_nobody_at_all_comes_in_without_the_gateway(
    app: Flask, wang: Visitor, clock: ManualClock
) -> None:
    page = _bring(wang, documents.permit())
    li = Visitor(app.test_client(), clock, CLERK)
    assert li.get(page).status_code == 404
    assert li.get(f"{page}/file").status_code == 404
    assert li.post(f"{page}/remove").status_code == 404
    assert "permit.pdf" not in li.get("/my/").text
    for path in ("/my/", page, f"{page}/file"):
        assert app.test_client().get(path, base_url="https://verify.city.localhost").status_code == 401
    assert Visitor(app.test_client(), clock, assurance=1).get(page).status_code == 403
    assert wang.get(page).status_code == 200


def test_what_cannot_be_signed_is_refused_in_words_on_the_page_itself(wang: Visitor) -> None:
    for document, status in ((b"", 400), (b"no PDF", 400), (b"x" * (LARGEST + 1), 413)):
        answer = wang.post("/my/documents", document=(io.BytesIO(document), "x.pdf"))
        assert answer.status_code == status
    assert 'role="alert"' in wang.post("/my/documents", document=(io.BytesIO(b"no PDF"), "x.pdf")).text
    assert wang.post("/my/documents").status_code == 400


@pytest.mark.parametrize("pages", [10_001, 2_000_000_000, 10**40])
def test_a_document_that_claims_more_pages_than_anybody_can_show_is_refused(pages: int, wang: Visitor) -> None:
    draft = forgeries.draft({forgeries.PAGES: b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % pages})
    assert wang.post("/my/documents", document=(io.BytesIO(draft), "x.pdf")).status_code == 400
    assert wang.get("/my/").status_code == 200


def test_there_is_room_for_so_many_and_removing_makes_room(wang: Visitor) -> None:
    first = _bring(wang, documents.permit())
    _bring(wang, documents.permit())
    full = wang.post("/my/documents", document=(io.BytesIO(documents.permit()), "x.pdf"))
    assert (full.status_code, "no room" in full.text) == (409, True)
    assert wang.post(f"{first}/remove").status_code == 303
    assert wang.get(first).status_code == 404
    _bring(wang, documents.permit())


def test_a_form_without_its_token_changes_nothing(wang: Visitor, app: Flask, clock: ManualClock) -> None:
    page = _bring(wang, documents.permit())
    stranger = Visitor(app.test_client(), clock)
    assert stranger.post(f"{page}/remove", form_at="").status_code == 403
    assert wang.get(page).status_code == 200


def test_the_first_page_of_the_host_leads_to_the_documents(wang: Visitor) -> None:
    assert wang.get("/").headers["Location"] == "/my/"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a/b\\c.pdf", "c.pdf"),
        ("../../etc/passwd", "passwd"),
        ('x"\r\nSet-Cookie: a.pdf', "xSet-Cookie a.pdf"),
        ("...", "document.pdf"),
        ("遗嘱.pdf", "遗嘱.pdf"),
    ],
)
def test_a_files_name_is_a_name(name: str, kept: str) -> None:
    assert name_of_file(name) == kept


def test_a_person_gets_a_certificate_is_sent_to_confirm_and_comes_back_with_the_signed_document(wang: Visitor) -> None:
    page = _bring(wang, documents.permit())
    identifier = page.rpartition("/")[2]
    assert "Have one made" in wang.get(page).text
    assert wang.post("/my/sign", document=identifier).status_code == 409
    assert wang.post("/my/certificate", agree="yes").headers["Location"] == "/my/?done=certified"
    assert wang.post("/my/certificate", agree="yes").status_code == 409
    shown = wang.get(page)
    assert f"form-action 'self' {ISSUER}" in shown.headers["Content-Security-Policy"]
    address = wang.post("/my/sign", document=identifier).headers["Location"]
    assert address.startswith(f"{ISSUER}/authorize?")
    state = address.rpartition("=")[2]
    query = f"?state={state}&code={state}&iss={ISSUER}"
    done = wang.get(f"/my/callback{query}").headers["Location"]
    assert 'class="notice good"' in wang.get(done).text
    assert wang.get(f"/my/callback{query}").status_code == 409
    assert "counts once" in wang.get(f"/my/callback{query}").text


def test_an_answer_in_another_browser_and_a_form_without_its_token_sign_nothing(
    app: Flask, wang: Visitor, clock: ManualClock
) -> None:
    page = _bring(wang, documents.permit())
    identifier = page.rpartition("/")[2]
    wang.post("/my/certificate", agree="yes")
    wang.get(page)
    assert wang.post("/my/sign", form_at="", document=identifier).status_code == 403
    assert wang.post("/my/certificate/end", form_at="").status_code == 403
    state = wang.post("/my/sign", document=identifier).headers["Location"].rpartition("=")[2]
    other = Visitor(app.test_client(), clock)
    assert other.get(f"/my/callback?state={state}&code={state}&iss={ISSUER}").status_code == 409
    refused = wang.get(f"/my/callback?state={state}&error=access_denied&iss={ISSUER}")
    assert (refused.status_code, "did not confirm" in refused.text) == (403, True)
    assert wang.post("/my/certificate/end").status_code == 303
