# SPDX-License-Identifier: Apache-2.0
"""A verdict as a row: of a table that spreadsheets open, or as the whole answer in one line of JSON."""

import csv
import io
import json
import os
import unicodedata
from dataclasses import dataclass

from ..models import Verdict
from ..verdict import Catalogue, as_json

_COLUMNS = ("file", "verdict", "format", "signer", "EN 319 102-1", "found", "sha256")
# What begins so is computed where a table is opened; the wide forms too, in some languages.
_COMPUTED = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_BLANKS = " \u00a0\u3000"
# Of these characters a name could have lines, or be read from behind.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class Rows:
    """Writes rows of one form."""

    catalogue: Catalogue
    # JSON lines instead of CSV.
    whole: bool = False

    def header(self) -> str:
        """What stands above the first row."""
        return "" if self.whole else _csv(_COLUMNS)

    def row(self, name: str, verdict: Verdict) -> str:
        """One file's, with the end of its line."""
        if self.whole:
            return (
                json.dumps({"file": _readable(name), "verdict": as_json(verdict, self.catalogue)}, ensure_ascii=False)
                + "\n"
            )
        found = verdict.signatures[0].facts
        return _csv(
            (
                _cell(_shown(name)),
                verdict.overall.value,
                verdict.format.value,
                # Whoever made the certificate wrote it.
                _cell(found.certificate.name if found else ""),
                f"{verdict.indication.value} {verdict.subindication}".strip(),
                " ".join(sorted({each.code for each in verdict.problems})),
                verdict.sha256,
            )
        )


def _readable(name: str) -> str:
    """A file's name as text: one that is not of UTF-8, as archives of other systems hold them, byte by byte."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _shown(name: str) -> str:
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _NOT_SHOWN else each
        for each in _readable(name)
    )


def _cell(text: str) -> str:
    """Text that begins like a formula would be one in a table."""
    return "'" + text if text.lstrip(_BLANKS)[:1] in _COMPUTED and text.strip(_BLANKS) else text


def _csv(cells: tuple[str, ...]) -> str:
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerow(cells)
    return output.getvalue()
