# SPDX-License-Identifier: Apache-2.0
"""An agency verifies documents: on the page, by REST and in the terminal, each with its own right answer."""

import base64
import hashlib
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from reportlab.pdfgen.canvas import Canvas

from tests.flows import invariants
from tests.flows.cards import certified
from tests.flows.city import COMMAND, ROOT, City, until
from tests.flows.looking import Eyes
from tests.flows.people import accessible, consent_if_asked, log_in_by_card, subject_of
from tests.flows.words import Language

Browse = Callable[..., BrowserContext]
AGENCY = "document-office"


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _page(text: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, text)
    canvas.save()
    return buffer.getvalue()


@pytest.fixture(scope="module")
def sealed(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    plain, out = folder / "plain.pdf", folder / "sealed.pdf"
    plain.write_bytes(_page("Notice of the document office"))
    city.tallygate(
        "seal", str(plain), "--site", str(city.configuration), "--organisation", AGENCY,
        "--actor", subject_of(city, "li.na"), "--out", str(out),
    )  # fmt: skip
    return out


def _verify(city: City, path: Path) -> tuple[int, dict[str, object]]:
    done = city.tallygate("verify", str(path), "--site", str(city.configuration), "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def _rest(city: City, content: bytes) -> dict[str, object]:
    answer = city.http().post(
        city.url("verify", "/api/v1/verify"), data=content, headers={"Content-Type": "application/pdf"}
    )
    assert answer.status_code == 200, answer.text
    verdict: dict[str, object] = answer.json()
    return verdict


def test_a_sealed_document_is_trusted_by_page_rest_and_terminal(city: City, sealed: Path, browse: Browse) -> None:
    code, said = _verify(city, sealed)
    assert (code, said["overall"]) == (0, "trusted")
    assert _rest(city, sealed.read_bytes())["overall"] == "trusted"
    page = browse().new_page()
    page.goto(city.url("verify"))
    accessible(page)
    page.get_by_label("Signed document or signature").set_input_files(str(sealed))
    page.get_by_role("button", name="Verify").click()
    accessible(page)
    assert page.locator(".notice.good").count() == 1
    page.goto(city.url("verify", "/?lang=zh"))
    accessible(page)
    page.locator("#document").set_input_files(str(sealed))
    page.get_by_role("button", name="核验", exact=True).click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.locator(".notice.good").count() == 1


def test_a_clerk_has_a_document_sealed_in_the_office_and_the_record_names_who_by_which_decision(
    city: City, browse: Browse, tmp_path: Path
) -> None:
    office, out = browse(card=city.folder / "demo" / "li.na.p12", java_script_enabled=False), tmp_path / "sealed.pdf"
    page = office.new_page()
    page.goto(city.url("documents", "/", "internal"))
    log_in_by_card(page)
    assert "You are logged in." in page.inner_text("main")
    page.get_by_role("link", name="Go to your page").click()
    consent_if_asked(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Seal and download").first.click()
    waiting.value.save_as(out)
    assert waiting.value.suggested_filename.endswith("-sealed.pdf")
    code, said = _verify(city, out)
    assert (code, said["overall"]) == (0, "trusted")
    page.goto(city.url("documents", "/", "internal"))
    assert "You are logged in as Li Na." in page.inner_text("main")

    (intended,) = until(lambda: _by_portal(city, "signature.intended"))
    (made,) = until(lambda: _by_portal(city, "signature.made"))
    (decided,) = [
        entry["told"]
        for entry in invariants.entries(city)
        if entry["told"]["type"] == "gateway.decision" and entry["told"]["decision"] == intended["decision"]
    ]
    person = subject_of(city, "li.na")
    assert person == intended["subject"] == made["subject"] == decided["subject"]
    assert (made["decision"], made["organisation"]) == (decided["decision"], AGENCY)
    assert (intended["session"], intended["zone"]) == (decided["session"], "internal")


def _by_portal(city: City, kind: str) -> list[dict[str, Any]]:
    told = [entry["told"] for entry in invariants.entries(city)]
    return [one for one in told if one["type"] == kind and one["attributes"]["caller"] == "portal:documents"]


def test_a_portal_that_was_taken_over_seals_in_nobody_s_name(city: City, tmp_path: Path) -> None:
    pair = city.folder / "portal-documents" / "pairs" / "portal-documents--signatures"
    secret = base64.b64encode(pair.read_bytes()).decode()
    (tmp_path / "plain.pdf").write_bytes(_page("Whoever reads this owes us ten thousand yuan"))
    li_na = subject_of(city, "li.na")
    for header in ("", "e30.e30.e30"):
        answer = subprocess.run(
            ["curl", "--silent", "--unix-socket", str(city.folder / "run" / "signatures" / "sock"),
             "-H", "Tallygate-Caller: portal:documents", "-H", f"Tallygate-Secret: {secret}",
             "-H", f"Tallygate-Identity: {header}", "-H", "Content-Type: application/pdf",
             "--data-binary", f"@{tmp_path / 'plain.pdf'}",
             f"http://localhost/api/v1/seal?organisation={AGENCY}&actor={li_na}&assurance=3&zone=internal"],
            capture_output=True, check=True,
        )  # fmt: skip
        assert json.loads(answer.stdout)["code"] == "identity_refused"
    refused = until(lambda: found if len(found := _by_portal(city, "signature.refused")) == 2 else None)
    assert {one["attributes"]["code"] for one in refused} == {"identity_refused"}
    assert not any("subject" in one for one in refused)


def test_a_changed_byte_and_an_appended_page_are_told_apart(city: City, sealed: Path, tmp_path: Path) -> None:
    content = sealed.read_bytes()
    changed = tmp_path / "changed.pdf"
    at = content.index(b"stream") + 12
    changed.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    code, said = _verify(city, changed)
    assert (code, said["overall"]) in {(1, "not_trusted"), (2, "cannot_tell")}
    appended = tmp_path / "appended.pdf"
    appended.write_bytes(_append_page(content))
    code, other = _verify(city, appended)
    assert (code, other["overall"]) == (1, "not_trusted")
    assert other["headline"] != said["headline"] or other["indication"] != said["indication"]
    unsigned = tmp_path / "unsigned.pdf"
    unsigned.write_bytes(_page("nobody signed this"))
    assert _verify(city, unsigned)[0] == 1


def _append_page(content: bytes) -> bytes:
    """One more page as an incremental update behind the signature."""
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    extra = PdfFileReader(io.BytesIO(_page("and you owe us ten thousand yuan")))
    page: Any = writer.import_object(extra.root["/Pages"]["/Kids"][0], obj_stream=None)
    del page["/Parent"]
    writer.insert_page(page)  # type: ignore[no-untyped-call]  # pyHanko
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko
    return out.getvalue()


def test_what_a_suspended_signer_signed_is_not_trusted_until_released(city: City, tmp_path: Path) -> None:
    signed = _signed_at_home(city, tmp_path)
    _, said = _verify(city, signed)
    serial = str(said["signatures"][0]["certificate"]["serial"])  # type: ignore[index]  # JSON
    site = ("--site", str(city.configuration))
    # The role keeps the authority's lists between two documents; the record tells it when they changed.
    assert _rest(city, signed.read_bytes())["overall"] == "trusted"
    city.tallygate("ca", *site, "suspend", serial)
    until(lambda: _rest(city, signed.read_bytes())["overall"] == "cannot_tell")
    code, suspended = _verify(city, signed)
    assert (code, suspended["overall"]) == (2, "cannot_tell")
    assert suspended["headline"] != said["headline"]
    city.tallygate("ca", *site, "release", serial)
    # The authority gives out the list before, while another of its processes makes the next one.
    until(lambda: _verify(city, signed)[0] == 0)
    until(lambda: _rest(city, signed.read_bytes())["overall"] == "trusted")


def test_what_was_sealed_before_a_suspension_stays_good_by_its_time_stamp_and_nothing_is_sealed_after(
    city: City, sealed: Path, tmp_path: Path
) -> None:
    _, said = _verify(city, sealed)
    signature: Any = said["signatures"][0]  # type: ignore[index]  # JSON
    site, serial = ("--site", str(city.configuration)), str(signature["certificate"]["serial"])
    city.tallygate("ca", *site, "suspend", serial)
    # The authority gives out the list before, while another of its processes makes the next one.
    suspended = until(lambda: found if (found := _verify(city, sealed)[1]) != said else None)
    assert suspended["overall"] == "trusted"
    done = city.tallygate(
        "seal", str(sealed.parent / "plain.pdf"), *site, "--organisation", AGENCY, "--actor",
        subject_of(city, "li.na"), "--out", str(tmp_path / "late.pdf"), check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert not (tmp_path / "late.pdf").exists()
    city.tallygate("ca", *site, "release", serial)


def test_others_find_the_citys_seals_good_and_ours_of_level_lt(city: City, sealed: Path, tmp_path: Path) -> None:
    content = sealed.read_bytes()
    for verdict in (_verify(city, sealed)[1], _rest(city, content)):
        found: Any = verdict["signatures"]
        assert [each["level"] for each in found] == ["LT"]
    shown = subprocess.run(["pdfsig", "-nocert", str(sealed)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in shown, shown
    assert "ETSI.CAdES.detached" in shown
    (embedded,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    start, first, second, rest = (int(each) for each in embedded.byte_range)
    parts = {
        "signature.der": embedded.pkcs7_content.rstrip(b"\0"),
        "covered": content[start:first] + content[second : second + rest],
        "value": embedded.signer_info["signature"].native,
        "token.der": next(
            each["values"][0].dump()
            for each in embedded.signer_info["unsigned_attrs"]
            if each["type"].native == "signature_time_stamp_token"
        ),
    }
    for name, part in parts.items():
        (tmp_path / name).write_bytes(part)
    public = city.folder / "public"
    between = tmp_path / "issuers.pem"
    between.write_bytes(b"".join(each.read_bytes() for each in sorted((public / "issuers").glob("*.pem"))))
    for command in (
        ["cms", "-verify", "-binary", "-inform", "DER", "-in", "signature.der", "-content", "covered", "-purpose",
         "any", "-certfile", str(between), "-out", "/dev/null"],
        ["ts", "-verify", "-data", "value", "-in", "token.der", "-token_in", "-untrusted", str(between)],
    ):  # fmt: skip
        done = subprocess.run(
            ["openssl", *command, "-CAfile", str(public / "root.pem")], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_a_foreign_seal_names_the_unknown_issuer(city: City, sealed: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "root.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(foreign), "-subj", "/CN=Foreign", "-days", "9"],
        check=True, capture_output=True,
    )  # fmt: skip
    done = city.tallygate("verify", str(sealed), "--trust", str(foreign), "--json", check=False)
    assert done.returncode == 1
    assert "issuer" in done.stdout


def test_an_expired_seal_cannot_be_told_and_the_answer_names_the_day(city: City, sealed: Path, tmp_path: Path) -> None:
    _, said = _verify(city, sealed)
    last_day = str(said["signatures"][0]["certificate"]["not_after"])[:10]  # type: ignore[index]  # JSON
    years_later = _verify_later(city, sealed, tmp_path, "+1200d")
    assert (years_later.returncode, json.loads(years_later.stdout)["overall"]) == (2, "cannot_tell")
    (signature,) = json.loads(years_later.stdout)["signatures"]
    answers = signature["answers"]
    # Nothing else about the document has changed.
    assert (answers["unchanged"]["value"], answers["issuer"]["value"]) == ("yes", "yes")
    assert (answers["valid"]["value"], answers["valid"]["code"]) == ("unknown", "expired")
    assert "expired" in answers["valid"]["en"]
    assert last_day[:4] in answers["valid"]["en"]
    assert "过期" in answers["valid"]["zh"] or "到期" in answers["valid"]["zh"]
    # Between the two the seal is valid, but nobody has a list of that day that speaks of who stamped the time: for so
    # long a document is kept in the archive.
    months_later = json.loads(_verify_later(city, sealed, tmp_path, "+800d").stdout)
    assert months_later["overall"] == "cannot_tell"
    assert months_later["signatures"][0]["answers"]["valid"]["value"] == "unknown"


def _verify_later(city: City, path: Path, tmp_path: Path, when: str) -> subprocess.CompletedProcess[str]:
    """Somebody who kept document, certificates and list verifies offline when the clock says so."""
    public, crl = city.folder / "public", tmp_path / "organisations.crl"
    crl.write_bytes(city.http().get(city.url("pki", "/crl/organisations.crl", "plain")).content)
    return subprocess.run(
        ["faketime", "-f", when, *COMMAND, "verify", str(path), "--json", "--crl", str(crl),
         "--trust", str(public / "root.pem"), "--trust", str(public / "issuers" / "organisations.pem")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def _signed_at_home(city: City, tmp_path: Path) -> Path:
    """By a person's own card, without a time-stamp."""
    card = city.folder / "demo" / "chen.wei-signing.p12"
    plain, out = tmp_path / "plain.pdf", tmp_path / "signed.pdf"
    plain.write_bytes(_page("I agree to the contract"))
    city.tallygate(
        "sign", str(plain), "--key", str(card), "--passphrase", str(card.with_suffix(".password")), "--out", str(out)
    )
    return out


def test_a_person_signs_on_their_own_machine_and_is_named(city: City, tmp_path: Path) -> None:
    out = _signed_at_home(city, tmp_path)
    code, said = _verify(city, out)
    assert (code, said["overall"]) == (0, "trusted")
    assert _rest(city, out.read_bytes())["overall"] == "trusted"
    certificate = said["signatures"][0]["certificate"]  # type: ignore[index]  # JSON
    assert certificate["name"] == "陈伟"
    assert certificate["subject"] == subject_of(city, "chen.wei-signing")
    shown = city.tallygate("verify", str(out), "--site", str(city.configuration)).stdout
    assert "陈伟" in shown


def test_a_card_for_logging_in_signs_nothing_that_is_trusted(city: City, tmp_path: Path) -> None:
    card = city.folder / "demo" / "li.na.p12"
    plain, out = tmp_path / "plain.pdf", tmp_path / "signed.pdf"
    plain.write_bytes(_page("I agree to the contract"))
    city.tallygate(
        "sign", str(plain), "--key", str(card), "--passphrase", str(card.with_suffix(".password")), "--out", str(out),
        check=False,
    )  # fmt: skip
    assert not out.exists() or _verify(city, out)[0] != 0


def test_a_person_has_a_document_signed_by_a_kept_key_once_a_passkey_confirmed_it(
    city: City, browse: Browse, tmp_path: Path
) -> None:
    page = _with_passkey(city, browse, "zhu.yulan", tmp_path)
    # A key is made and certified by the person's own wish.
    page.goto(city.url("sign"))
    accessible(page)
    page.get_by_role("button", name="Have a certificate made").click()
    expect(page.get_by_text("Your key is made and certified.")).to_be_visible()
    document = tmp_path / "lease.pdf"
    document.write_bytes(_page("Lease of a market stall"))
    page.locator("#document").set_input_files(str(document))
    page.get_by_role("button", name="Bring this document").click()
    digest = hashlib.sha256(document.read_bytes()).hexdigest()
    expect(page.get_by_text(digest)).to_be_visible()
    accessible(page)

    # Neither the document nor the confirmation is another citizen's, who holds both addresses.
    mine = page.url
    other = _with_passkey(city, browse, "tang.zhiqiang", tmp_path)
    for address in (mine, f"{mine.partition('?')[0]}/file", f"{mine.partition('?')[0]}/picture?page=1"):
        answer = other.goto(address)
        assert answer is not None
        assert answer.status == 404

    # Sign-on shows exactly this, and wants a passkey for it although a card is logged in.
    page.get_by_role("button", name="Sign this document").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign these documents?")
    assert "lease.pdf" in page.inner_text("main")
    assert digest[:16] in page.inner_text("main")
    accessible(page)
    with page.expect_request(lambda request: "/my/callback?" in request.url) as led_back:
        page.get_by_role("button", name="Confirm with a passkey and sign").click()
    expect(page.locator(".notice.good")).to_be_visible()
    accessible(page)
    # What came back counts for its own person, and once.
    for whose in (other, page.context.new_page()):
        answer = whose.goto(led_back.value.url)
        assert answer is not None
        assert answer.status == 409
    page.goto(f"{page.url.partition('?')[0]}?lang=zh")
    expect(page.get_by_role("button", name="签署此文件")).to_be_visible()
    accessible(page)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="下载查看").click()
    signed = tmp_path / "signed.pdf"
    waiting.value.save_as(signed)
    assert waiting.value.suggested_filename == "lease-signed.pdf"

    # Poppler, our page and our terminal agree.
    said = subprocess.run(["pdfsig", "-nocert", str(signed)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in said
    assert _verify(city, signed)[1]["overall"] == "trusted"
    assert _rest(city, signed.read_bytes())["overall"] == "trusted"

    (confirmed,) = until(lambda: _told(city, "sso.signature.confirmed"))
    person = confirmed["subject"]
    made = until(lambda: [each for each in _told(city, "signature.made") if each.get("subject") == person])
    (intended,) = [each for each in _told(city, "signature.intended") if each.get("subject") == person]
    assert len(made) == 1
    refused = until(lambda: [each for each in _told(city, "signature.refused") if each.get("subject") == person])
    assert [each["attributes"]["code"] for each in refused] == ["consent_used"]
    assert (intended["attributes"]["confirmed_by"], confirmed["attributes"]["by"]) == ("passkey", "passkey")
    assert intended["attributes"]["consent"] == made[0]["attributes"]["consent"]


def test_a_seal_that_takes_two_is_set_when_another_keeper_confirmed_with_a_passkey(
    city: City, browse: Browse, tmp_path: Path
) -> None:
    first, second = (
        _with_passkey(city, browse, each, tmp_path, profile="civil-servant") for each in ("tian.jianguo", "yuan.yong")
    )
    subject = subject_of(city, tmp_path / "yuan.yong" / "card")
    site = ("--site", str(city.configuration), "--organisation", "market-regulation")
    plain = tmp_path / "plain.pdf"
    plain.write_bytes(_page("Licence of a market stall"))
    city.tallygate("seal", str(plain), *site, "--actor", subject, "--establish", "--out", str(tmp_path / "one.pdf"))
    city.tallygate("keepers", *site, "--name", "tian.jianguo", "--name", "yuan.yong")
    # One of them proposes that it takes two, and the other one confirms.
    first.goto(city.url("sign", "/my/seals"))
    first.get_by_label("What changes").select_option("two")
    first.get_by_role("button", name="Propose").click()
    second.goto(city.url("sign", "/my/seals"))
    second.get_by_role("button", name="Confirm the change").click()
    expect(second.get_by_text("Every seal takes a second keeper.")).to_be_visible()

    first.goto(city.url("sign"))
    first.locator("#document").set_input_files(str(plain))
    first.get_by_role("button", name="Bring this document").click()
    first.get_by_role("link", name="Put a seal on it").click()
    first.get_by_role("button", name="Put the seal here").click()
    expect(first.get_by_text("You cannot do both.")).to_be_visible()
    order = first.url
    eyes = {language: Eyes("keeper", language) for language in get_args(Language)}
    for language, each in eyes.items():
        for page in (first, second):
            page.goto(f"{order}?lang={language}")
            each.look(page)
    second.goto(f"{order}?lang=en")
    second.get_by_role("button", name="Confirm, and set the seal").click()
    expect(second.get_by_role("heading", level=1)).to_have_text("Set the seal on these documents?")
    assert "Market Regulation Bureau" in second.inner_text("main")
    assert "plain.pdf" in second.inner_text("main")
    eyes["en"].look(second)
    with second.expect_request(lambda request: "/my/callback?" in request.url) as led_back:
        second.get_by_role("button", name="Confirm with a passkey and set the seal").click()
    expect(second.get_by_role("link", name="Download the sealed document")).to_be_visible()
    for language, each in eyes.items():
        first.goto(f"{order}?lang={language}")
        each.look(first)
        assert not each.wrong, "\n".join(each.wrong)
    # The confirmation counts once, and for its keeper alone.
    for page in (first, second):
        answer = page.goto(led_back.value.url)
        assert answer is not None
        assert answer.status == 409
    first.goto(f"{order}?lang=en")
    sealed = tmp_path / "sealed.pdf"
    with first.expect_download() as waiting:
        first.get_by_role("link", name="Download the sealed document").click()
    waiting.value.save_as(sealed)
    assert _verify(city, sealed)[1]["overall"] == "trusted"
    made = until(lambda: [each for each in _told(city, "signature.made") if each.get("actor") == subject])
    (confirmed, *_) = until(
        lambda: [each for each in _told(city, "signature.order.confirmed") if each["actor"] == subject]
    )
    assert (len(made), confirmed["attributes"]["confirmed_by"]) == (1, "passkey")
    assert confirmed["attributes"]["reference"] == made[0]["attributes"]["reference"]


def test_another_one_s_trust_list_is_taken_on_the_record(city: City, tmp_path: Path) -> None:
    key, public, listed = tmp_path / "key.pem", tmp_path / "public.pem", tmp_path / "abroad.jws"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)], check=True
    )
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)], check=True)
    city.tallygate("trust-list", "create", "--name", "abroad", "--key", str(key), "--out", str(listed))
    follow = ("trust-list", "follow", "abroad", str(listed), "--site", str(city.configuration))
    refused = city.tallygate(*follow, check=False)
    assert refused.returncode != 0
    assert "abroad 1: 0 certificates" in city.tallygate(*follow, "--list-key", str(public)).stdout
    told = [
        (entry["told"]["type"], entry["told"]["attributes"].get("code", ""))
        for entry in invariants.published(city)
        if entry["told"]["type"].startswith("signature.list.")
    ]
    pinned, taken = "signature.list.pinned", "signature.list.taken"
    assert told == [("signature.list.refused", "form"), *[(each, "") for each in (pinned, pinned, taken, taken)]]


def _with_passkey(city: City, browse: Browse, username: str, folder: Path, *, profile: str = "citizen") -> Page:
    """Somebody logged in by a card, with a passkey on a device that always says yes.

    A passkey that is set up by whoever shows a card counts at once.
    """
    folder = folder / username
    folder.mkdir()
    context = browse(card=certified(city, username, folder, profile=profile).p12)
    page = context.new_page()
    page.goto(city.url("sso", "/account/factors"))
    log_in_by_card(page)
    page.goto(city.url("sso", "/account/factors"))
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options = {**device, "isUserVerified": True, "automaticPresenceSimulation": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.get_by_label("What you call it").fill("for signing")
    page.get_by_role("button", name="Set up a passkey").click()
    expect(page.get_by_role("heading", name="for signing")).to_be_visible()
    return page


def _told(city: City, kind: str) -> list[dict[str, Any]]:
    return [entry["told"] for entry in invariants.entries(city) if entry["told"]["type"] == kind]
