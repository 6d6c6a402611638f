# SPDX-License-Identifier: Apache-2.0
"""What the pages say, in the language of whoever reads them; from the catalogues that translators write."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
Language = Literal["en", "zh"]
LOCALES: Mapping[Language, str] = {"en": "en-GB", "zh": "zh-CN"}
"""What a browser set to that language asks for."""
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-Hans"}


def catalogue() -> dict[str, set[str]]:
    """English texts and their translations, of all components together; of plurals the plural."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.glob("*/translations/zh.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans_CN"):
                if not message.id or not message.string:
                    continue
                keys = message.id if isinstance(message.id, tuple | list) else (message.id,)
                texts = message.string if isinstance(message.string, tuple | list) else (message.string,)
                for key in keys:
                    found.setdefault(str(key), set()).update(map(str, texts))
    return found


class Words:
    """Patterns for English texts as one language shows them; two components may translate one text differently."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._chinese = catalogue() if language == "zh" else {}

    def __call__(self, english: str) -> re.Pattern[str]:
        """The whole text."""
        texts = {english} if self.language == "en" else self._chinese[english]
        return re.compile(rf"^\s*(?:{'|'.join(map(re.escape, sorted(texts)))})\s*$")


ENGLISH = Words("en")
