# SPDX-License-Identifier: Apache-2.0
"""Says a sentence in English or 简体中文, with dates as people write them."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_datetime
from babel.messages.pofile import read_po

from core.errors import N_

from ..looks import PageState
from ..models import Colour, Level, Severity, StampState, Value, Words

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
TRANSLATIONS = Path(__file__).parents[1] / "translations"

QUESTIONS = {
    "unchanged": N_("Is the document unchanged?"),
    "signer": N_("Who signed it?"),
    "issuer": N_("Do we trust the issuer of the certificate?"),
    "valid": N_("Was the certificate valid when the document was signed?"),
}
PROBLEMS = N_("Everything that was found")
SEVERITIES = {
    Severity.GRAVE: N_("grave"),
    Severity.DOUBT: N_("unclear"),
    Severity.NOTICE: N_("to know"),
}
COLOURS = {Colour.GREEN: N_("green"), Colour.AMBER: N_("amber"), Colour.RED: N_("red")}
LEVELS = {
    Level.B: N_("signature alone (level B)"),
    Level.T: N_("with a time-stamp (level T)"),
    Level.LT: N_("with time-stamp and proofs of validity (level LT)"),
    Level.LTA: N_("ready for the archive (level LTA)"),
}
STAMP_STATES = {
    StampState.GOOD: N_("valid"),
    StampState.BROKEN: N_("not over this signature, or altered"),
    StampState.UNKNOWN: N_("from somebody whom nobody we trust confirms"),
    StampState.REFUSED: N_("from somebody whose certificate was not good for that"),
}
LASTING = N_("held to withstand quantum computers")
"""Of a time-stamp by ML-DSA."""
BESIDE = N_("came beside the file")
"""Of a time-stamp that is not in it."""
PAGE_STATES = {
    PageState.SAME: N_("looks as it was signed"),
    PageState.CHANGED: N_("looks different now"),
    PageState.ADDED: N_("was added after signing"),
    PageState.REMOVED: N_("was taken away after signing"),
}
VALUES = {Value.YES: N_("yes"), Value.NO: N_("no"), Value.UNKNOWN: N_("unknown")}
SIGNER_VALUES = {Value.YES: N_("confirmed"), Value.NO: N_("nobody"), Value.UNKNOWN: N_("unknown")}
"""Short answers to "who signed it", which "yes" does not fit."""

_PATTERNS = {"en": "d MMMM y, HH:mm 'UTC'", "zh": "y年M月d日 HH:mm 'UTC'"}


def short(question: str, value: Value) -> str:
    """The one word beside a question; a catalogue key."""
    return (SIGNER_VALUES if question == "signer" else VALUES)[value]


class Catalogue:
    """The Chinese sentences, read once."""

    def __init__(self) -> None:
        with (TRANSLATIONS / "zh.po").open("rb") as file:
            found = read_po(file, locale="zh_Hans_CN")
        self._chinese = {message.id: message.string for message in found if isinstance(message.id, str) and message.id}

    def say(self, words: Words, language: Language) -> str:
        """One sentence."""
        message = self.plain(words.message, language)
        filled = {
            name: moment(value, language) if isinstance(value, datetime) else value
            for name, value in words.parameters.items()
        }
        return message % filled if filled else message

    def plain(self, message: str, language: Language) -> str:
        """A text without places."""
        return str(self._chinese.get(message) or message) if language == "zh" else message


def moment(at: datetime, language: Language) -> str:
    """A date and time as people write it, always with its zone."""
    return format_datetime(at.astimezone(UTC), _PATTERNS[language], locale=_locale(language))


@lru_cache
def _locale(language: Language) -> Locale:
    """By its name it would be looked for on the disk each time."""
    return Locale.parse("zh_Hans_CN" if language == "zh" else "en_GB")
