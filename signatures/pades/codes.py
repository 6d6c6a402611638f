# SPDX-License-Identifier: Apache-2.0
"""QR codes as vector paths: nothing is embedded, nothing is fetched, and every printer draws them sharp."""

from itertools import groupby
from typing import Any

from reportlab.graphics.barcode import qrencoder

# Light modules around the code that readers need (ISO/IEC 18004, 6.3.8).
_QUIET = 4
_LONGEST = 300


def code(address: str, *, x: float, y: float, side: float) -> bytes:
    """Path operators of a white square with the code of an address, its lower left corner at ``x``, ``y``.

    Raises:
        ValueError: the address is empty, too long, or no ASCII.
    """
    if not 0 < len(address) <= _LONGEST or not address.isascii():
        raise ValueError("no address for a code")
    rows = _modules(address)
    step = side / (len(rows) + 2 * _QUIET)
    parts = [b"q 1 g %.2f %.2f %.2f %.2f re f 0 g" % (x, y, side, side)]
    for number, row in enumerate(rows):
        at = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                left, top = x + (_QUIET + at) * step, y + side - (_QUIET + number + 1) * step
                parts.append(b"%.3f %.3f %.3f %.3f re" % (left, top, length * step, step))
            at += length
    return b"\n".join([*parts, b"f Q"])


def _modules(address: str) -> list[list[bool]]:
    made: Any = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    made.addData(qrencoder.QR8bitByte(address.encode()))
    made.make()
    return [
        [bool(made.isDark(row, column)) for column in range(made.getModuleCount())]
        for row in range(made.getModuleCount())
    ]
