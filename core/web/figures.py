# SPDX-License-Identifier: Apache-2.0
"""How pages write numbers: filters of every role's templates, and of the charts that they share."""

from flask import Flask


def install(app: Flask) -> None:
    """Add ``grouped`` and ``short``."""
    app.add_template_filter(lambda number: f"{number:,}".replace(",", "\u202f"), "grouped")
    app.add_template_filter(_short, "short")


def _short(number: int) -> str:
    """A number beside an axis: 12k for twelve thousand."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:g}{letter}"
    return str(number)
