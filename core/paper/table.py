# SPDX-License-Identifier: Apache-2.0
"""A short paper of named rows, in as many languages as it is given in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from reportlab.pdfgen.canvas import Canvas

from .face import Face
from .fonts import ONE_AT_A_TIME, known
from .sheet import FONT, HEIGHT, WIDTH, Sheet


@dataclass(frozen=True, kw_only=True)
class Section:
    """One chapter: what stands before it, and its rows of a name and lines."""

    title: str
    before: str
    rows: Sequence[tuple[str, Sequence[str]]]


def table(file: IO[bytes], title: str, sections: Sequence[Section], *, foot: str, face: Face) -> None:
    """Write it."""
    rough = Sheet(face, canvas=None, foot=foot, pages=0)
    _write(rough, title, sections)
    with ONE_AT_A_TIME, known(face.embedded(rough.letters)):
        canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, initialFontName=FONT)
        canvas.setTitle(title)
        _write(Sheet(face, canvas=canvas, foot=foot, pages=rough.page - 1), title, sections)
        canvas.save()


def _write(sheet: Sheet, title: str, sections: Sequence[Section]) -> None:
    sheet.text(title, size=20)
    for section in sections:
        sheet.chapter(section.title)
        sheet.text(section.before)
        sheet.space(6)
        for name, lines in section.rows:
            sheet.need(48)
            sheet.facts([(name, line) if not at else ("", line) for at, line in enumerate(lines)])
    sheet.turn()
