# SPDX-License-Identifier: Apache-2.0
"""The role's one blueprint, made of parts; each part brings its addresses, and the templates share their words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint

from core.web import Guard, locale

from ..console.telling import line, short
from ..search.words import reason_words, says, tell

TRANSLATIONS = Path(__file__).parent.parent / "translations"
ROLE = "security-officer"
_UNIT = 1024
Pages = Callable[[Blueprint, Guard], None]
"""Adds its addresses to the blueprint."""


def blueprint(guard: Guard, parts: Sequence[Pages]) -> Blueprint:
    """Every address of the audit role."""
    made = Blueprint("audit", __name__, template_folder=str(TRANSLATIONS.parent / "templates"))
    made.app_template_global(name="tell")(tell)
    made.app_template_global(name="says")(says)
    made.app_template_global(name="reason_words")(reason_words)
    made.app_template_global(name="named")(_named)
    made.app_template_filter(name="moment")(_moment)
    made.app_template_filter(name="epoch_moment")(lambda seconds: _moment(datetime.fromtimestamp(seconds, UTC)))
    made.app_template_filter(name="amount")(_amount)
    made.app_template_global(name="story_line")(line)
    made.app_template_global(name="short_id")(short)
    for part in parts:
        part(made, guard)
    return made


def _amount(size: float) -> str:
    """So many bytes, in the unit in which they are read most easily."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _UNIT:
            return f"{size:.0f}\u00a0B" if unit == "B" else f"{size:.1f}\u00a0{unit}"
        size /= _UNIT
    return f"{size:.1f}\u00a0TiB"


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _named(sealed: Mapping[str, str]) -> str:
    """The person's name in the reader's script, if both are known."""
    order = ("name_zh", "name") if locale() == "zh" else ("name", "name_zh")
    return next((sealed[field] for field in order if sealed.get(field)), "")
