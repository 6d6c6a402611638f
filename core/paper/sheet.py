# SPDX-License-Identifier: Apache-2.0
"""Pages and lines: what is written goes down the page and on to the next. Without a canvas it is only measured.

A report is written twice, first to learn its letters and on which page each chapter begins, then for good; so no page
is kept in memory but the one being written.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Protocol

from .face import Face

WIDTH, HEIGHT = 595.0, 842.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 533.0, 780.0, 70.0
FONT = "Report"
_LEADING = 1.5
_SMALL = 8.0
_NOT_FIRST = "，。；：、？！）》」』”’,.;:?!)"  # noqa: RUF001 - Chinese punctuation is what is meant
_GREY, _BLACK = 0.4, 0.0


class Canvas(Protocol):
    """What of ReportLab's canvas is used."""

    def setFont(self, name: str, size: float) -> None: ...  # noqa: N802, D102 - ReportLab's
    def setFillGray(self, gray: float) -> None: ...  # noqa: N802, D102
    def drawString(self, x: float, y: float, text: str) -> None: ...  # noqa: N802, D102
    def line(self, x1: float, y1: float, x2: float, y2: float) -> None: ...  # noqa: D102
    def showPage(self) -> None: ...  # noqa: N802, D102
    def bookmarkPage(self, key: str) -> None: ...  # noqa: N802, D102
    def addOutlineEntry(self, title: str, key: str, level: int) -> None: ...  # noqa: N802, D102


class Sheet:
    """The page being written."""

    def __init__(self, face: Face, *, canvas: Canvas | None, foot: str, pages: int) -> None:
        self._face = face
        self._canvas = canvas
        self._foot = foot
        self._pages = pages
        self._y = TOP
        self.page = 1
        self.letters: set[str] = set("0123456789/ …")
        # Chapter, level and page.
        self.chapters: list[tuple[str, int, int]] = []

    def chapter(self, title: str, *, level: int = 0) -> None:
        """A heading that the table of contents names."""
        size = 16.0 if level == 0 else 11.5
        self.need(size * 4)
        self._y -= size * 0.8
        if self._canvas is not None:
            key = f"c{len(self.chapters)}"
            self._canvas.bookmarkPage(key)
            self._canvas.addOutlineEntry(title, key, level)
        self.chapters.append((title, level, self.page))
        self.text(title, size=size)
        self._y -= 3

    def text(self, text: str, *, size: float = 10.0, indent: float = 0.0, grey: bool = False) -> None:
        """A paragraph."""
        for line in wrapped(text, self._face, size, RIGHT - LEFT - indent):
            self.need(size * _LEADING)
            self._draw(LEFT + indent, line, size, _GREY if grey else _BLACK)
            self._y -= size * _LEADING

    def facts(self, facts: Sequence[tuple[str, str]], *, size: float = 9.0, column: float = 112.0) -> None:
        """Names with their values beside them."""
        for name, value in facts:
            names = list(wrapped(name, self._face, size, column - 8))
            values = list(wrapped(value, self._face, size, RIGHT - LEFT - column))
            for at in range(max(len(names), len(values))):
                self.need(size * _LEADING)
                if at < len(names):
                    self._draw(LEFT, names[at], size, _GREY)
                if at < len(values):
                    self._draw(LEFT + column, values[at], size, _BLACK)
                self._y -= size * _LEADING
        self._y -= 4

    def contents(self, chapters: Sequence[tuple[str, int, int]], *, title: str) -> None:
        """The table of contents."""
        self.text(title, size=16.0)
        self._y -= 6
        for name, level, page in chapters:
            self.need(15.0)
            indent = 14.0 * level
            number = str(page)
            line = next(wrapped(name, self._face, 10.0, RIGHT - LEFT - indent - 40), "")
            self._draw(LEFT + indent, line, 10.0, _BLACK)
            self._draw(RIGHT - self._face.width(number, 10.0), number, 10.0, _BLACK)
            self._y -= 15.0
        self.turn()

    def space(self, points: float) -> None:
        """Leave room."""
        self._y -= points

    def need(self, points: float) -> None:
        """Turn the page unless so much is left of it."""
        if self._y - points < BOTTOM:
            self.turn()

    def turn(self) -> None:
        """End this page."""
        number = f"{self.page} / {self._pages}" if self._pages else str(self.page)
        foot, y = next(wrapped(self._foot, self._face, _SMALL, RIGHT - LEFT - 60), ""), self._y
        self._y = BOTTOM - 26
        self._draw(LEFT, foot, _SMALL, _GREY)
        self._draw(RIGHT - self._face.width(number, _SMALL), number, _SMALL, _GREY)
        self._y = y
        if self._canvas is not None:
            self._canvas.line(LEFT, BOTTOM - 12, RIGHT, BOTTOM - 12)
            self._canvas.showPage()
        self.page += 1
        self._y = TOP

    def _draw(self, x: float, text: str, size: float, grey: float) -> None:
        if self._canvas is None:
            self.letters.update(text)
            return
        self._canvas.setFont(FONT, size)
        self._canvas.setFillGray(grey)
        self._canvas.drawString(x, self._y - size, text)


def visible(text: str) -> str:
    """Text for paper: what would be invisible or turn the writing round is spelt out."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{{{ord(letter):x}}}" for letter in text)


def wrapped(text: str, face: Face, size: float, width: float) -> Iterator[str]:
    """Lines no wider than this: broken at spaces, between Chinese characters, and in words that are too long."""
    for paragraph in visible(text).split("\n"):
        line, room = "", width
        for found in _pieces(paragraph):
            piece, wide = found, face.width(found, size)
            if wide > room and line and piece not in _NOT_FIRST:
                yield line.rstrip()
                line, room, piece = "", width, piece.lstrip()
                wide = face.width(piece, size)
            while wide > width:
                head = _fitting(piece, face, size, width)
                yield piece[:head]
                piece = piece[head:]
                wide = face.width(piece, size)
            line, room = line + piece, room - wide
        yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    word = ""
    for letter in text:
        if letter == " ":
            yield word + " "
            word = ""
        elif unicodedata.east_asian_width(letter) in {"W", "F"}:
            if word:
                yield word
            yield letter
            word = ""
        else:
            word += letter
    if word:
        yield word


def _fitting(text: str, face: Face, size: float, width: float) -> int:
    used, count = 0.0, 0
    for letter in text:
        used += face.width(letter, size)
        if used > width and count:
            break
        count += 1
    return count
