# SPDX-License-Identifier: Apache-2.0
"""The page and the REST interface: plain words for people, exact errors for programs, nothing for strangers."""

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import schemathesis
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import mldsa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from sqlalchemy import text
from werkzeug.datastructures import MultiDict

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.db import Database, migrate
from core.identity import HEADER
from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.cli import verify
from signatures.client import look
from signatures.keeping import KeepingStore
from signatures.looks import Certification, Locking, Permits, Placement
from signatures.models import SealOrder
from signatures.papers import PaperStore
from signatures.sandbox import ReaderPool
from signatures.service import Verification
from signatures.store import Store
from signatures.web import blueprint
from signatures.web.wishes import permits, placement
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, made, stamper
from tests.signatures.archived import kept
from tests.signatures.fakes import (
    CITIZEN,
    CLERK,
    COMMITMENTS,
    PORTAL,
    People,
    TestAuthority,
    encode,
    let_through,
    reports,
    sealing,
    two_keepers,
)
from tests.signatures.pki import NOW, City

ROOT = Path(__file__).parents[2]
PDF = {"Content-Type": "application/pdf"}
LARGEST = 4 * 1024 * 1024


@schemathesis.serializer("application/pdf")
def as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


schemathesis.openapi.media_type(
    "application/pdf", st.binary(min_size=1, max_size=2000).map(lambda tail: b"%PDF" + tail)
)


def peer(name: str = "app", secret: bytes = b"a" * 32) -> dict[str, str]:
    return {CALLER_HEADER: name, SECRET_HEADER: base64.b64encode(secret).decode()}


@pytest.fixture
def recorder() -> ListRecorder:
    return ListRecorder()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made_of = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(made_of, ROOT / "signatures" / "migrations")
    yield made_of
    made_of.close()


@pytest.fixture
def app(tmp_path: Path, city: City, readers: ReaderPool, recorder: ListRecorder, database: Database) -> Iterator[Flask]:
    store, clock = Store(database, encode=encode), ManualClock()
    kept_by = KeepingStore(database, put=store.put)
    granting = sealing(
        store=store,
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        recorder=recorder,
        clock=clock,
        rules=kept_by.rule,
    )
    two = two_keepers(
        tmp_path, store=kept_by, granting=granting, readers=readers, people=People(), recorder=recorder, clock=clock
    )
    verification = Verification(
        readers=readers,
        trust=city.trust,
        lists=city.lists,
        recorder=recorder,
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
    guard = Guard(clock=clock, pairs=PairSecrets({"app": b"a" * 32, "portal:documents": b"b" * 32}))
    parts = [
        web.verifying(verification, reports(), largest=LARGEST),
        web.comparing(verification, largest=LARGEST),
        web.sealing(granting, two.orders, two.keepers, largest=LARGEST),
        web.registers(PaperStore(database, put=store.put), clock=clock),
    ]
    yield create(
        "signatures",
        site=site,
        guard=guard,
        session_key=b"s" * 32,
        blueprints=[blueprint(guard, parts, largest=LARGEST)],
        translations=[ROOT / "signatures" / "translations"],
    )
    two.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.config["SERVER_NAME"] = None
    return app.test_client()


def token(client: FlaskClient) -> str:
    page = client.get("/", base_url="https://verify.city.localhost").get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found.group(1)


def upload(
    client: FlaskClient, document: bytes, *, lang: str = "en", to: str = "/", beside: bytes = b""
) -> tuple[int, str]:
    # By hand: the test client's own encoder leaves its temporary file to the garbage collector.
    parts = [
        b'--cut\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n' + token(client).encode(),
        b'--cut\r\nContent-Disposition: form-data; name="document"; filename="permit.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n" + document,
        # Empty, as a browser sends it where nothing was chosen.
        b'--cut\r\nContent-Disposition: form-data; name="beside"; filename="beside-1.tst"\r\n\r\n' + beside,
        b"--cut--\r\n",
    ]
    with client.post(
        f"{to}?lang={lang}",
        base_url="https://verify.city.localhost",
        headers={"Referer": "https://verify.city.localhost/", "X-Forwarded-For": "203.0.113.77"},
        data=b"\r\n".join(parts),
        content_type="multipart/form-data; boundary=cut",
    ) as answer:
        return answer.status_code, answer.get_data(as_text=True)


def test_the_page_says_of_each_time_stamp_who_when_what_it_is_worth_and_of_which_kind(
    client: FlaskClient, city: City
) -> None:
    classical, lattice = stamper.unit(city.people), stamper.unit(city.people, key=mldsa.MLDSA65PrivateKey.generate())
    signed = made.cades(made.LETTER, [city.seal()], by=classical, beside=lattice)
    rows = {"en": ("P-256", "ML-DSA-65", "valid", "held to withstand quantum computers", "20 November 2026"),
            "zh": ("P-256", "ML-DSA-65", "有效", "被认为能抵御量子计算机", "2026年11月20日")}  # fmt: skip
    for language, wanted in rows.items():
        page = upload(client, signed, lang=language)[1]
        table = page[page.index("<h3>Time-stamps" if language == "en" else "<h3>时间戳") :]
        table = table[: table.index("</table>")]
        assert table.count("Jiangcheng Time Stamps") == 2
        # On a narrow page each cell has its own heading.
        assert table.count("<td data-label=") == table.count("<td") == 8
        assert all(each in table for each in wanted)


def test_the_page_answers_in_both_languages(client: FlaskClient, sealed: bytes) -> None:
    status, page = upload(client, sealed)
    assert status == 200
    assert "This document can be trusted." in page
    assert "TOTAL-PASSED" in page
    status, page = upload(client, documents.one_byte_changed(sealed), lang="zh")
    assert "这份文件不可信。" in page
    assert "文件内容与签署时不一致" in page


def test_the_page_says_when_there_is_no_signature_or_none_that_can_be_confirmed(
    client: FlaskClient, sealed: bytes
) -> None:
    assert "This document carries no signature." in upload(client, documents.permit())[1]
    assert "signature data that we cannot confirm" in upload(client, documents.form_removed(sealed))[1]


def test_the_record_of_an_anonymous_check_keeps_the_network_not_the_address(
    client: FlaskClient, sealed: bytes, recorder: ListRecorder
) -> None:
    upload(client, sealed)
    assert recorder.types() == ["signature.verified"]
    assert recorder.events[0].attributes["network"] == "203.0.113.0/24"
    assert "203.0.113.77" not in repr(recorder.events[0])


def test_a_form_without_its_token_or_without_a_file_is_refused(client: FlaskClient, sealed: bytes) -> None:
    answer = client.post(
        "/", base_url="https://verify.city.localhost", data={"document": (io.BytesIO(sealed), "a.pdf")}
    )
    assert answer.status_code == 403
    status, page = upload(client, b"")
    assert status == 400
    assert "No document was sent" in page


def test_names_in_certificates_are_escaped(client: FlaskClient, city: City) -> None:
    rude = city.organisations.leaf("<script>alert(1)</script>")
    page = upload(client, documents.sealed(documents.permit(), rude))[1]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_document_over_the_limit_is_refused_on_page_and_interface(client: FlaskClient) -> None:
    huge = b"%PDF-1.7\n" + b"0" * (LARGEST + 128 * 1024)
    assert upload(client, huge)[0] == 413
    answer = client.post("/api/v1/verify", data=huge, headers=PDF)
    assert answer.status_code == 413
    assert answer.get_json()["code"] == "too_large"
    assert client.post("/api/v1/verify", data=huge[: LARGEST - 1], headers=PDF).status_code == 200


def test_page_interface_and_terminal_say_the_same_bytes(
    client: FlaskClient, sealed: bytes, city: City, tmp_path: Path
) -> None:
    issuers = (city.root, city.organisations, city.people, city.devices)
    trust = documents.write(tmp_path, "trust.pem", b"".join(each.pem for each in issuers))
    lists = [documents.write(tmp_path, f"{number}.crl", der) for number, der in enumerate(city.lists())]
    start = ["--trust", str(trust), *(part for each in lists for part in ("--crl", str(each)))]
    signed = made.cades(made.LETTER, [city.seal(), City().seal()])
    lattice = stamper.unit(city.devices, key=mldsa.MLDSA65PrivateKey.generate())
    notice = kept(city, sealed, classical=stamper.unit(city.devices), lattice=lattice)
    files = (sealed, documents.one_byte_changed(sealed), documents.permit(), signed, b"hello", notice.container)
    for document in files:
        answer = client.post("/api/v1/verify", data=document, headers={"Content-Type": "application/octet-stream"})
        page = upload(client, document)[1]
        shown = html.unescape(page.partition('<pre id="answer" tabindex="0">')[2].partition("</pre>")[0])
        file = documents.write(tmp_path, "document", document)
        said = CliRunner().invoke(verify, [str(file), *start, "--at", f"{NOW:%Y-%m-%dT%H:%M:%S}", "--json"])
        assert answer.data == shown.encode() == said.stdout_bytes
    file = documents.write(tmp_path, "document", notice.document)
    broken = notice.token[:-9] + bytes([notice.token[-9] ^ 1]) + notice.token[-8:]
    for token, overall in ((notice.token, "trusted"), (broken, "cannot_tell")):
        parts = {"document": (io.BytesIO(notice.document), "notice.pdf"), "beside": (io.BytesIO(token), "beside-1.tst")}
        answer = client.post("/api/v1/verify", data=parts, content_type="multipart/form-data")
        page = upload(client, notice.document, beside=token)[1]
        shown = html.unescape(page.partition('<pre id="answer" tabindex="0">')[2].partition("</pre>")[0])
        beside = documents.write(tmp_path, "beside-1.tst", token)
        moment = ["--at", f"{NOW:%Y-%m-%dT%H:%M:%S}"]
        said = CliRunner().invoke(verify, [str(file), *start, *moment, "--json", "--beside", str(beside)])
        assert answer.data == shown.encode() == said.stdout_bytes
        assert answer.get_json()["overall"] == overall
        assert ("held to withstand quantum computers" in page) == (overall == "trusted")
        assert "(came beside the file)" in page


def test_the_answer_comes_as_xml_and_on_paper_by_interface_page_and_terminal(
    client: FlaskClient, sealed: bytes, city: City, tmp_path: Path, recorder: ListRecorder
) -> None:
    trust = documents.write(tmp_path, "trust.pem", city.root.pem + city.organisations.pem + city.people.pem)
    lists = [documents.write(tmp_path, f"{number}.crl", der) for number, der in enumerate(city.lists())]
    start = ["--trust", str(trust), *(part for each in lists for part in ("--crl", str(each)))]
    file = documents.write(tmp_path, "document", sealed)
    page = upload(client, sealed)[1]
    fields = dict(re.findall(r'name="(csrf_token|answer|seal)" value="([^"]*)"', page))
    home = "https://verify.city.localhost"
    for kind, media in (("xml", "application/xml"), ("pdf", "application/pdf")):
        answer = client.post("/api/v1/verify", data=sealed, headers={**PDF, "Accept": media})
        assert (answer.status_code, answer.content_type) == (200, media)
        form = {**{name: html.unescape(value) for name, value in fields.items()}, "kind": kind}
        told = len(recorder.events)
        shown = client.post("/report", data=form, base_url=home, headers={"Referer": home + "/"})
        # A report tells nothing new, so nothing new is recorded.
        assert (shown.status_code, shown.data, len(recorder.events)) == (200, answer.data, told)
        out = tmp_path / f"out.{kind}"
        moment = f"{NOW:%Y-%m-%dT%H:%M:%S}"
        said = CliRunner().invoke(verify, [str(file), *start, "--at", moment, "--report", kind, "--out", str(out)])
        assert said.exit_code == 0
        if kind == "xml":
            assert out.read_bytes() == answer.data
        swapped = {**form, "answer": form["answer"].replace("not_trusted", "trusted").replace('"yes"', '"no"')}
        for wrong in (swapped, {**form, "seal": "0" * 64}, {**form, "seal": "x"}, {**form, "kind": "doc"}):
            refused = client.post("/report", data=wrong, base_url=home, headers={"Referer": home + "/"})
            assert refused.status_code == 400


def test_what_was_signed_is_given_back_and_shown_beside_the_present_pages(
    client: FlaskClient, sealed: bytes, recorder: ListRecorder
) -> None:
    changed = documents.page_appended(sealed)
    answer = client.post("/api/v1/signed-revision", data=changed, headers=PDF)
    assert (answer.status_code, answer.content_type, answer.data) == (200, "application/pdf", sealed)
    told = client.post("/api/v1/signed-revision", data=changed, headers={**PDF, "Accept": "application/json"})
    assert (told.get_json()["pages_then"], told.get_json()["pages_now"]) == (1, 2)
    assert recorder.types() == ["signature.verified"] * 2
    # Of a signature that does not fit, nothing is known: no state of the document is called the signed one.
    for body in (documents.one_byte_changed(sealed), documents.permit(), b"%PDF-1.7"):
        refused = client.post("/api/v1/signed-revision", data=body, headers=PDF)
        assert (refused.status_code, refused.get_json()["code"]) == (409, "no_signed_revision")
    for wish in ("2", "0", "x", "99"):
        refused = client.post(f"/api/v1/signed-revision?signature={wish}", data=sealed, headers=PDF)
        assert refused.status_code == (409 if wish in {"2", "99"} else 400)
    page = upload(client, changed, to="/compare")[1]
    assert "was added after signing" in page
    assert page.count("data:image/png;base64,") >= 1
    assert "签署后增加" in upload(client, changed, to="/compare", lang="zh")[1]
    assert upload(client, documents.permit(), to="/compare")[0] == 409


def test_the_interface_takes_a_signature_and_its_document_together(client: FlaskClient, city: City) -> None:
    signed = made.cades(made.LETTER, [city.seal()], detached=True)
    parts = {"document": (io.BytesIO(signed), "letter.p7s"), "content": (io.BytesIO(made.LETTER), "letter.txt")}
    verdict = client.post("/api/v1/verify", data=parts, content_type="multipart/form-data").get_json()
    assert (verdict["overall"], verdict["format"]) == ("trusted", "cms")
    assert verdict["content"]["sha256"] == hashlib.sha256(made.LETTER).hexdigest()
    alone = client.post(
        "/api/v1/verify", data=signed, headers={"Content-Type": "application/pkcs7-signature"}
    ).get_json()
    assert alone["signatures"][0]["answers"]["unchanged"]["code"] == "content_missing"


def test_a_seal_that_takes_two_is_answered_with_the_address_of_the_order(
    client: FlaskClient, database: Database
) -> None:
    client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer())
    named = {"organisation": "tax-bureau", "keepers": ["li.na"]}
    wrongs: list[dict[str, object]] = [{**named, "keepers": "li.na"}, {**named, "keepers": [1]}, {"keepers": []}]
    for wrong in wrongs:
        assert client.post("/api/v1/keepers", json=wrong, headers=peer()).status_code == 400
    portal = peer("portal:documents", b"b" * 32)
    assert client.post("/api/v1/keepers", json=named, headers=portal).status_code == 403
    assert client.post("/api/v1/keepers", json=named, headers=peer()).get_json()["keepers"] == [CLERK]
    assert client.post("/api/v1/keepers", json=named, headers=peer()).status_code == 409
    with database.transaction() as connection:
        # Two keepers agree on it elsewhere.
        connection.execute(text("INSERT INTO seal_rules VALUES ('tax-bureau', 1)"))
    asked = client.post(
        "/api/v1/seal?organisation=tax-bureau",
        data=documents.permit(),
        headers={**portal, **PDF, HEADER: let_through()},
    )
    assert asked.status_code == 202
    assert asked.headers["Location"] == asked.get_json()["address"]
    assert asked.headers["Location"].startswith("https://sign.city.localhost/my/orders/")
    notes = client.post(
        "/api/v1/detached?organisation=tax-bureau&name=notes.txt",
        data=b"The fee is 1000 yuan.",
        headers={**portal, "Content-Type": "text/plain", HEADER: let_through()},
    )
    assert (notes.status_code, notes.headers["Location"]) == (202, notes.get_json()["address"])
    assert notes.get_json()["address"] != asked.get_json()["address"]


def test_the_interface_answers_with_codes_and_words(client: FlaskClient, sealed: bytes) -> None:
    verdict = client.post("/api/v1/verify", data=sealed, headers=PDF).get_json()
    assert verdict["overall"] == "trusted"
    assert verdict["signatures"][0]["answers"]["issuer"]["code"] == "issuer_trusted"
    filled = client.post("/api/v1/verify?profile=tolerant", data=sealed, headers=PDF).get_json()
    assert filled["profile"] == "tolerant"


@pytest.mark.parametrize(
    ("address", "body", "headers", "code"),
    [
        ("/api/v1/verify", b"", PDF, "nothing_sent"),
        ("/api/v1/verify", b"%PDF-1.7", {}, "wrong_media_type"),
        ("/api/v1/verify", b"%PDF-1.7", {"Content-Type": "text/plain"}, "wrong_media_type"),
        ("/api/v1/verify?profile=lenient", b"%PDF-1.7", PDF, "malformed"),
        ("/api/v1/verify?profile=strict&profile=tolerant", b"%PDF-1.7", PDF, "malformed"),
        ("/api/v1/verify?profile=%00", b"%PDF-1.7", PDF, "malformed"),
    ],
)
def test_a_malformed_request_gets_its_code(
    client: FlaskClient, address: str, body: bytes, headers: dict[str, str], code: str
) -> None:
    answer = client.post(address, data=body, headers=headers)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == code


@pytest.mark.parametrize("body", [b"\0" * 100, b"%PDF-1.7\n" * 1000, b"\xff" * 5000, documents.permit()[:700]])
def test_any_bytes_get_a_verdict(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/v1/verify", data=body, headers=PDF)
    assert answer.status_code == 200
    assert answer.get_json()["subindication"] == "FORMAT_FAILURE"


def test_without_the_recorder_there_is_no_verdict_and_no_seal(
    client: FlaskClient, sealed: bytes, recorder: ListRecorder
) -> None:
    client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer())
    recorder.down = True
    assert upload(client, sealed)[0] == 503
    answer = client.post("/api/v1/verify", data=sealed, headers=PDF)
    assert answer.status_code == 503
    assert "trusted" not in answer.get_data(as_text=True)
    query = f"organisation=tax-bureau&actor={CLERK}&assurance=2"
    answer = client.post(f"/api/v1/seal?{query}", data=documents.permit(), headers={**PDF, **peer()})
    assert answer.status_code == 503
    assert not answer.data.startswith(b"%PDF")


def test_a_portal_seals_for_a_clerk(client: FlaskClient) -> None:
    assert client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer()).status_code == 200
    headers = {**PDF, **peer(PORTAL, b"b" * 32), HEADER: let_through(CLERK)}
    answer = client.post("/api/v1/seal?organisation=tax-bureau", data=documents.permit(), headers=headers)
    assert answer.status_code == 200
    assert answer.content_type == "application/pdf"
    assert client.post("/api/v1/verify", data=answer.data, headers=PDF).get_json()["overall"] == "trusted"


@pytest.mark.parametrize("claim", ["", f"&actor={CLERK}&assurance=2", f"&actor={CLERK}&assurance=3&session=s1"])
@pytest.mark.parametrize("header", [None, "", "x.y.z", let_through(CLERK, audience="tax.city.localhost")])
def test_a_portal_s_own_word_is_taken_for_nobody(
    client: FlaskClient, recorder: ListRecorder, claim: str, header: str | None
) -> None:
    client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer())
    headers = {**PDF, **peer(PORTAL, b"b" * 32), **({} if header is None else {HEADER: header})}
    answer = client.post(f"/api/v1/seal?organisation=tax-bureau{claim}", data=documents.permit(), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "identity_refused")
    (event,) = recorder.events
    assert (event.type, event.subject, event.attributes["caller"]) == ("signature.refused", "", PORTAL)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"organisation=tax-bureau&actor={CITIZEN}&assurance=2", 403, "seal_denied"),
        (f"organisation=tax-bureau&actor={CLERK}&assurance=1", 403, "seal_denied"),
        (f"organisation=tax-bureau&actor={CLERK}&assurance=9", 400, "malformed"),
        (f"organisation=tax-bureau&actor={CLERK}&assurance=2&zone=moon", 400, "malformed"),
        (f"actor={CLERK}&assurance=2", 400, "malformed"),
        ("organisation=tax-bureau&assurance=2", 403, "seal_denied"),
        (f"organisation=tax-bureau&actor={CLERK}&assurance=2", 409, "no_seal"),
    ],
)
def test_a_wrong_order_gets_its_code(client: FlaskClient, query: str, status: int, code: str) -> None:
    answer = client.post(f"/api/v1/seal?{query}", data=documents.permit(), headers={**PDF, **peer()})
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("page=1&x=100&y=200", 200, ""),
        ("certify=form&lock=exclude&locked=remark&locked=b", 200, ""),
        ("page=2", 400, "no_such_page"),
        ("x=500&y=20", 400, "off_page"),
        ("field=nowhere", 400, "no_such_field"),
        ("field=remark", 400, "field_of_another_kind"),
        ("x=1", 400, "malformed"),
        ("x=1e3&y=1", 400, "malformed"),
        ("page=-1", 400, "malformed"),
        ("field=remark&page=1", 400, "malformed"),
        ("certify=everything", 400, "malformed"),
        ("lock=include", 400, "malformed"),
        ("lock=some&locked=a", 400, "malformed"),
    ],
)
def test_a_seal_goes_where_it_is_wanted_or_is_refused_in_words(
    client: FlaskClient, query: str, status: int, code: str
) -> None:
    client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer())
    answer = client.post(
        f"/api/v1/seal?organisation=tax-bureau&actor={CLERK}&assurance=2&{query}",
        data=documents.permit(form=True),
        headers={**PDF, **peer()},
    )
    assert answer.status_code == status
    assert (answer.get_json(silent=True) or {}).get("code", "") == code


def test_a_file_is_signed_beside_and_the_two_are_verified_together(client: FlaskClient) -> None:
    client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=peer())
    query = f"organisation=tax-bureau&actor={CLERK}&assurance=2"
    headers = {"Content-Type": "text/csv", **peer()}
    answer = client.post(f"/api/v1/detached?{query}", data=b"a,b\n1,2\n", headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/pkcs7-signature")
    both = {"document": (io.BytesIO(answer.data), "table.csv.p7s"), "content": (io.BytesIO(b"a,b\n1,2\n"), "table.csv")}
    assert client.post("/api/v1/verify", data=both).get_json()["overall"] == "trusted"
    refused = client.post(f"/api/v1/detached?{query}&assurance=1", data=b"x", headers=headers)
    assert refused.status_code in {400, 403}
    assert client.post(f"/api/v1/detached?{query}", data=b"", headers=headers).get_json()["code"] == "nothing_sent"


def test_the_code_on_a_paper_leads_to_a_page_that_says_what_it_proves(client: FlaskClient) -> None:
    assert "prove nothing by themselves" in client.get(f"/?document={'ab' * 32}").text
    assert "prove nothing" not in client.get("/").text
    assert client.get("/?document=<b>").status_code == 400


def test_the_client_says_where_as_the_interface_takes_it() -> None:
    order = SealOrder(
        document=b"",
        organisation="tax-bureau",
        caller="app",
        placement=Placement(page=2, x=10, y=20.5),
        permits=Permits(certification=Certification.FORM, locking=Locking.EXCLUDE, fields=("a b", "c")),
    )
    said = MultiDict(parse_qsl(urlencode(look(order), doseq=True)))
    assert (placement(said), permits(said)) == (order.placement, order.permits)
    assert look(replace(order, placement=Placement(), permits=Permits())) == {}


@pytest.mark.parametrize(
    "headers", [{}, peer("app", b"x" * 32), peer("gateway"), peer("nginx"), {CALLER_HEADER: "app"}]
)
@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/seal?organisation=tax-bureau&actor=x",
        "/api/v1/detached?organisation=tax-bureau&actor=x",
        "/api/v1/seals",
    ],
)
def test_only_the_named_roles_seal(client: FlaskClient, address: str, headers: dict[str, str]) -> None:
    assert client.post(address, data=b"{}", headers=headers).status_code in {401, 403}


def test_a_portal_cannot_make_seals(client: FlaskClient) -> None:
    headers = peer("portal:documents", b"b" * 32)
    assert client.post("/api/v1/seals", json={"organisation": "tax-bureau"}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "malformed"),
        ({"organisation": 7}, "malformed"),
        ({"organisation": "tax-bureau", "renew": "yes"}, "malformed"),
        ({"organisation": "tax-bureau", "key": "mine"}, "malformed"),
        ({"organisation": "../x"}, "not_found"),
        ({"organisation": "nowhere"}, "not_found"),
    ],
)
def test_a_wrong_wish_for_a_seal_gets_its_code(client: FlaskClient, body: object, code: str) -> None:
    assert client.post("/api/v1/seals", json=body, headers=peer()).get_json()["code"] == code


def test_the_interface_keeps_its_own_description(app: Flask) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    seen = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        seen.add(operation.path)

        @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def hold(case: Any) -> None:
            # Half a place is none, and fields belong to some locks only: a description cannot say so.
            dependent = [positive_data_acceptance] if case.operation.path == "/api/v1/seal" else []
            case.call_and_validate(excluded_checks=dependent)
            answer = case.call(headers=peer())
            case.validate_response(answer, excluded_checks=[ignored_auth, *dependent])

        hold()
    assert seen == {
        "/api/v1/verify",
        "/api/v1/seal",
        "/api/v1/seals",
        "/api/v1/detached",
        "/api/v1/keepers",
        "/api/v1/register",
        "/api/v1/signed-revision",
    }
