# SPDX-License-Identifier: Apache-2.0
"""Documents to seal and to verify."""

import io
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from tests.flows.city import City
from tests.flows.people import subject_of


def one_page(text: str) -> bytes:
    """A plain PDF."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, text)
    canvas.save()
    return buffer.getvalue()


def sealed(city: City, folder: Path) -> Path:
    """A PDF with the document office's seal."""
    plain, out = folder / "plain.pdf", folder / "sealed.pdf"
    plain.write_bytes(one_page("Notice"))
    city.tallygate(
        "seal", str(plain), "--site", str(city.configuration), "--organisation", "document-office",
        "--actor", subject_of(city, "li.na"), "--out", str(out),
    )  # fmt: skip
    return out
