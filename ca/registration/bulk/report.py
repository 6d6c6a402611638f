# SPDX-License-Identifier: Apache-2.0
"""What became of every line, as a table for whoever sent one: UTF-8 with a mark, everything quoted.

Programs that calculate take a cell for a formula that begins with certain characters, and the file that was sent may
hold such; those cells get an apostrophe before them.
"""

import csv
import io
from collections.abc import Callable, Iterable

from .models import Line

HEADING = ("line", "device", "name", "hosts", "result", "serial", "code", "reason")
_BEGIN_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def report(lines: Iterable[Line], said: Callable[[Line], str]) -> str:
    """The whole table; ``said`` is a line's refusal in words."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(HEADING)
    for each in lines:
        cells = (
            str(each.number),
            each.device,
            each.name,
            " ".join(each.hosts),
            each.state.value,
            each.serial,
            each.code,
            said(each),
        )
        writer.writerow([_harmless(cell) for cell in cells])
    return "\ufeff" + written.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_BEGIN_A_FORMULA) else cell
