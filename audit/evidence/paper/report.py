# SPDX-License-Identifier: Apache-2.0
"""What a judge reads: what this is, what is proved and by whom, each entry in words, and how to check it."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import IO

from reportlab.pdfgen.canvas import Canvas

from core.errors import N_
from core.paper import FONT, HEIGHT, ONE_AT_A_TIME, WIDTH, Face, Sheet, known

from ...search.words import PERSONAL, Told, tell
from ..models import Grounds, Line, Part, Rest, ranges
from .catalogue import Catalogue, Language
from .texts import (
    AUTHORITY_SILENT,
    FILES_LISTED,
    LOG_PROVES,
    NOT_PROVED,
    NOT_SEALED,
    NOT_STAMPED,
    ONE_LOG_PROVES,
    OPENING_PROVES,
    PARTS,
    SEAL_WAITS,
    SEALED,
    STAMPED,
    STEPS,
    SUCCEEDS,
    WHAT,
    WITNESSED,
    WITNESSES_SILENT,
)

Lines = Callable[[], Iterable[Line]]
"""The entries from the first on; asked for in each pass and language."""

_CONTENTS = "Contents · 目录"
IN_FULL = 500
"""So many entries are told with everything; those beyond it have one line each."""
_GROUP = 50
FILES = "tallygate-files:sha256:"
"""Before the digest of the list of all other files, in the report's own properties: whoever seals it seals them."""
_LANGUAGES: tuple[Language, ...] = ("en", "zh")
_TITLES: dict[Language, str] = {"en": "Evidence from the record", "zh": "日志证据报告"}


def write(file: IO[bytes], grounds: Grounds, lines: Lines, *, face: Face, catalogue: Catalogue) -> None:
    """Write the report, English first."""
    rough = _Report(grounds, lines, face, catalogue)
    rough.write(None, contents=())
    # In the first pass the table of contents was an empty page.
    blank = Sheet(face, canvas=None, foot="", pages=0)
    blank.contents(rough.sheet.chapters, title=_CONTENTS)
    longer = blank.page - 2
    chapters = [(title, level, page + longer) for title, level, page in rough.sheet.chapters]
    letters, pages = rough.sheet.letters | blank.letters, rough.sheet.page - 1 + longer
    with ONE_AT_A_TIME, known(face.embedded(letters)):
        canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, lang="en", initialFontName=FONT)
        canvas.setTitle(f"{_TITLES['en']} · {_TITLES['zh']}")
        canvas.setAuthor(grounds.site)
        canvas.setSubject(_named(grounds))
        canvas.setKeywords(f"{FILES}{grounds.files}")
        _Report(grounds, lines, face, catalogue, pages=pages).write(canvas, contents=chapters)
        canvas.save()


class _Report:
    """One pass over everything that is told."""

    def __init__(self, grounds: Grounds, lines: Lines, face: Face, catalogue: Catalogue, *, pages: int = 0) -> None:
        self._grounds = grounds
        self._lines = lines
        self._face = face
        self._catalogue = catalogue
        self._pages = pages
        self._language: Language = "en"

    def write(self, canvas: Canvas | None, *, contents: Sequence[tuple[str, int, int]]) -> None:
        foot = f"{_named(self._grounds)} · {self._grounds.made:%Y-%m-%d %H:%M:%S} UTC"
        self.sheet = Sheet(self._face, canvas=canvas, foot=foot, pages=self._pages)
        self.sheet.letters.update(*_TITLES.values())
        self._cover()
        self.sheet.contents(contents, title=_CONTENTS)
        for language in _LANGUAGES:
            self._language = language
            self._what()
            self._proved()
            self._entries()
            self._checking()
            self.sheet.turn()

    def _say(self, message: str, **values: object) -> str:
        return self._catalogue.say(message, self._language, **values)

    def _cover(self) -> None:
        sheet, grounds = self.sheet, self._grounds
        sheet.space(120)
        for language in _LANGUAGES:
            self._language = language
            sheet.text(_TITLES[language], size=26)
            sheet.space(4)
        sheet.space(16)
        for language in _LANGUAGES:
            self._language = language
            sheet.text(grounds.site, size=13)
            facts = []
            for log in grounds.logs:
                facts.append((self._say(N_("Log")), log.origin))
                facts.append((self._say(N_("Entries")), f"{len(log.indices)}: {ranges(log.indices)}"[:200]))
            sheet.facts([*facts, (self._say(N_("Made")), f"{grounds.made:%Y-%m-%d %H:%M:%S} UTC")])
            sheet.space(12)
        sheet.turn()

    def _what(self) -> None:
        sheet, wish = self.sheet, self._grounds.wish
        sheet.chapter(self._say(N_("What this is")))
        sheet.text(self._say(WHAT))
        sheet.space(6)
        sheet.facts(
            [
                (self._say(N_("About")), wish.about),
                (self._say(N_("Purpose")), wish.purpose),
                (self._say(N_("Made for officer")), self._grounds.officer or self._say(N_("the operator of the site"))),
                (self._say(N_("Consents")), ", ".join(wish.warrants) or self._say(N_("none"))),
            ]
        )

    def _proved(self) -> None:
        sheet, grounds = self.sheet, self._grounds
        sheet.chapter(self._say(N_("What is proved, and by whom")))
        proofs = []
        for log in grounds.logs:
            holds = LOG_PROVES if len(grounds.logs) == 1 else ONE_LOG_PROVES
            proofs.append(self._say(holds, log=log.origin, size=log.size, keys=", ".join(log.keys)))
            proofs += [self._of(log, self._witnesses(log)), self._of(log, self._stamp(log))]
        for older, newer in pairwise(grounds.logs):
            proofs.append(self._say(SUCCEEDS, older=older.origin, newer=newer.origin))
        proofs += [self._say(OPENING_PROVES), self._seal()]
        for number, proof in enumerate(proofs, 1):
            sheet.text(f"{number}. {proof}")
            sheet.space(3)
        sheet.chapter(self._say(N_("What is not proved")))
        for text in NOT_PROVED:
            sheet.text(f"- {self._say(text)}")
            sheet.space(3)

    def _seal(self) -> str:
        if self._grounds.waits_at:
            return self._say(SEAL_WAITS, address=self._grounds.waits_at)
        return self._say(SEALED if self._grounds.sealed else NOT_SEALED)

    def _of(self, log: Rest, said: str) -> str:
        """What is said of one log, under its name where there are several."""
        return said if len(self._grounds.logs) == 1 else f"{log.origin}: {said}"

    def _witnesses(self, log: Rest) -> str:
        if log.quorum is None:
            return self._say(N_("No witnesses are asked about this log."))
        if not log.quorum:
            few = self._say(N_("Not enough witnesses have cosigned this checkpoint so far."))
            return self._joined(few, self._say(WITNESSES_SILENT)) if log.witnesses_silent else few
        return self._say(WITNESSED, names=", ".join(log.witnesses))

    def _stamp(self, log: Rest) -> str:
        if log.token is None:
            none = self._say(NOT_STAMPED)
            return self._joined(none, self._say(AUTHORITY_SILENT)) if log.authority_silent else none
        return self._say(STAMPED, at=f"{log.token.at:%Y-%m-%d %H:%M:%S}", who=log.token.authority)

    def _joined(self, *sentences: str) -> str:
        return ("" if self._language == "zh" else " ").join(sentences)

    def _entries(self) -> None:
        sheet = self.sheet
        sheet.chapter(self._say(N_("The entries")))
        log = 0 if len(self._grounds.logs) == 1 else -1
        for place, line in enumerate(self._lines()):
            if line.log != log:
                log = line.log
                sheet.chapter(self._say(N_("Entries of %(log)s"), log=self._grounds.logs[log].origin), level=1)
            if place == IN_FULL:
                sheet.chapter(self._say(N_("Further entries, one line each")), level=1)
            elif place < IN_FULL and place % _GROUP == 0:
                sheet.chapter(self._say(N_("From entry %(index)s on"), index=line.row.index), level=1)
            if place < IN_FULL:
                self._entry(line)
            else:
                self._short(line)

    def _short(self, line: Line) -> None:
        row, told = line.row, tell(line.row)
        who = line.facts.get("name") or row.subject or row.actor
        said = f"{row.index} · {row.at:%Y-%m-%d %H:%M:%S} · {self._say(told.says)} · {self._say(told.outcome)}"
        self.sheet.text(f"{said} · {who}" if who else said, size=8)

    def _entry(self, line: Line) -> None:
        sheet, row, told = self.sheet, line.row, tell(line.row)
        sheet.need(90)
        sheet.text(
            self._say(N_("Entry %(index)s"), index=row.index)
            + f" · {self._say(told.says)} · {self._say(told.outcome)}",
            size=11,
        )
        facts = [(self._say(N_("When")), f"{row.at:%Y-%m-%d %H:%M:%S} UTC"), (self._say(N_("Who")), self._who(line))]
        if row.actor and row.actor != row.subject:
            facts.append((self._say(N_("Done by")), row.actor))
        if row.object:
            facts.append((self._say(N_("Portal or object")), row.object))
        where = self._say(told.zone) if told.zone else self._say(N_("inside the site"))
        facts.append((self._say(N_("Where")), where))
        facts.append((self._say(N_("Reported by")), self._say(told.source)))
        facts += self._how(told)
        if line.part is Part.OPENED:
            facts += [(self._say(PERSONAL.get(name, name)), value) for name, value in sorted(line.facts.items())]
        else:
            facts.append((self._say(N_("Personal part")), self._say(PARTS[line.part])))
        proof = self._say(
            N_("Proven: entry %(index)s of the %(size)s that the log has signed. Leaf hash %(leaf)s"),
            index=row.index,
            size=self._grounds.logs[line.log].size,
            leaf=line.leaf.hex(),
        )
        sheet.facts([*facts, (self._say(N_("Proof")), proof)])
        sheet.space(4)

    def _who(self, line: Line) -> str:
        order = ("name_zh", "name") if self._language == "zh" else ("name", "name_zh")
        name = next((line.facts[field] for field in order if line.facts.get(field)), "")
        return " · ".join(part for part in (name, line.row.subject) if part) or self._say(N_("nobody identified"))

    def _how(self, told: Told) -> list[tuple[str, str]]:
        said = [(_capital(self._say(name)), self._say(value)) for name, value in told.how]
        if told.why or told.code:
            said.append(
                (self._say(N_("Reason")), f"{self._say(told.why)} {told.code}".strip() if told.why else told.code)
            )
        if told.policies:
            said.append((self._say(N_("Decided by")), ", ".join(told.policies)))
        return said

    def _checking(self) -> None:
        sheet, grounds = self.sheet, self._grounds
        sheet.chapter(self._say(N_("How to check this")))
        for number, step in enumerate(STEPS, 1):
            sheet.text(f"{number}. {self._say(step)}")
            sheet.space(3)
        sheet.chapter(self._say(N_("Hashes and keys")))
        sheet.text(self._say(N_("SHA-256 of every file stands in META-INF/manifest.json.")))
        sheet.text(self._say(FILES_LISTED, files=grounds.files))
        for log in grounds.logs:
            facts = [(self._say(N_("Log")), log.origin)] if len(grounds.logs) > 1 else []
            facts += [(self._say(N_("Signed size")), str(log.size)), (self._say(N_("Signed root")), log.root.hex())]
            sheet.facts([*facts, *((self._say(N_("Key")), key) for key in log.keys)])


def _named(grounds: Grounds) -> str:
    return ", ".join(log.origin for log in grounds.logs)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
