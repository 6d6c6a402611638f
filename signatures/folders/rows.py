# SPDX-License-Identifier: Apache-2.0
"""A verdict as a row: of a table that spreadsheets open, or as the whole answer in one line of JSON."""

import csv
import io
import json
from dataclasses import dataclass

from ..models import Verdict
from ..verdict import Catalogue, as_json

_COLUMNS = ("file", "verdict", "format", "signer", "EN 319 102-1", "found", "sha256")


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
            return json.dumps({"file": name, "verdict": as_json(verdict, self.catalogue)}, ensure_ascii=False) + "\n"
        found = verdict.signatures[0].facts
        return _csv(
            (
                # A name that begins like a formula would be one in a table.
                "'" + name if name[:1] in "=+-@" else name,
                verdict.overall.value,
                verdict.format.value,
                found.certificate.name if found else "",
                f"{verdict.indication.value} {verdict.subindication}".strip(),
                " ".join(sorted({each.code for each in verdict.problems})),
                verdict.sha256,
            )
        )


def _csv(cells: tuple[str, ...]) -> str:
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerow(cells)
    return output.getvalue()
