# SPDX-License-Identifier: Apache-2.0
"""What letters are about, and their texts in the language of whoever gets them; pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parents[1] / "templates" / "directory"
LANGUAGES = ("zh", "en")


class Subject(StrEnum):
    """What a letter is about."""

    REVIEW = "review"
    PROOFING = "proofing"
    EXPIRED = "expired"


_TEXTS = {
    (about, language): Template((_FOLDER / f"letter-{about.value}.{language}.txt").read_text("utf-8"))
    for about in Subject
    for language in LANGUAGES
}


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One that is to be handed over, or was."""

    id: str
    subject: str
    about: Subject
    # Numbers and days alone.
    facts: Mapping[str, str]
    attempts: int = 0


def key_of(*parts: str) -> str:
    """The same for the same thing told to the same person; the number of its letter."""
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:32]


def text_of(about: Subject, language: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """The heading and the text; of whoever said no language in both."""
    wanted = [language] if language in LANGUAGES else list(LANGUAGES)
    found = [_TEXTS[about, each].substitute(facts).partition("\n") for each in wanted]
    heading = " / ".join(first.strip() for first, _, _ in found)
    return heading, "\n".join(rest.lstrip("\n") for _, _, rest in found)
