# SPDX-License-Identifier: Apache-2.0
"""Which font ReportLab knows: it keeps fonts by name for the whole process, so one paper is written at a time."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from .sheet import FONT

ONE_AT_A_TIME = threading.Lock()


@contextmanager
def known(font: bytes) -> Iterator[None]:
    """ReportLab knows this font for now. It would keep the first one of a name for ever, whose letters are others."""
    made = TTFont(FONT, io.BytesIO(font))
    pdfmetrics.registerFont(made)
    try:
        yield
    finally:
        del pdfmetrics._fonts[FONT]  # noqa: SLF001 - there is no other way to make it forget one
        del pdfmetrics._dynFaceNames[made.face.name]  # noqa: SLF001
