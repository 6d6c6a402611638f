# SPDX-License-Identifier: Apache-2.0
"""Sentences in English or 简体中文 outside of any request: a report is written in both."""

from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

Language = Literal["en", "zh"]
_TRANSLATIONS = Path(__file__).parents[2] / "translations"


class Catalogue:
    """The Chinese sentences, read once."""

    def __init__(self) -> None:
        with (_TRANSLATIONS / "zh.po").open("rb") as file:
            found = read_po(file, locale="zh_Hans_CN")
        self._chinese = {message.id: message.string for message in found if isinstance(message.id, str) and message.id}

    def say(self, message: str, language: Language, **values: object) -> str:
        """One sentence with its places filled."""
        text = str(self._chinese.get(message) or message) if language == "zh" else message
        return text % values if values else text
