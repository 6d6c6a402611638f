# SPDX-License-Identifier: Apache-2.0
"""Writes verdicts as XML and PDF: for the page, the REST interface and the terminal alike."""

import hmac
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from core.errors import N_

from ..errors import VerdictNotOurs
from ..models import Verdict
from ..reports import xml
from ..verdict import Catalogue, canonical
from ..verdict.words import LANGUAGES, Language

Kind = Literal["xml", "pdf"]
MEDIA: Mapping[Kind, str] = {"xml": "application/xml", "pdf": "application/pdf"}
BY_HAND = N_("somebody with the offline command, not this site")


class Reports:
    """Makes reports from the JSON text of verdicts.

    A page is forgotten once it is sent, so the text that it shows carries a seal of our own: who brings both back gets
    the report of what was said, and nobody gets a report of a verdict that was never given.
    """

    def __init__(self, *, key: bytes, by: Mapping[Language, str], font: Path, font_face: int) -> None:
        self._key = hmac.digest(key, b"tallygate verdict text v1", "sha256")
        self._by = by
        self._font = font
        self._font_face = font_face
        self._catalogue = Catalogue()

    def text(self, verdict: Verdict) -> bytes:
        """The one text of a verdict."""
        return canonical(verdict, self._catalogue)

    def seal(self, text: bytes) -> str:
        """What proves later that this text is ours."""
        return hmac.digest(self._key, text, "sha256").hex()

    def again(self, text: bytes, seal: str, kind: Kind) -> bytes:
        """The report of a text that was given before.

        Raises:
            VerdictNotOurs: it was not, or was altered.
        """
        if not hmac.compare_digest(self.seal(text).encode(), seal.encode()):
            raise VerdictNotOurs
        return self.write(text, kind)

    def write(self, text: bytes, kind: Kind) -> bytes:
        """The report of one text."""
        said: dict[str, Any] = json.loads(text)
        if kind == "xml":
            return xml(said)
        # Fonts and everything that draws with them: of use to whoever wants paper, and to nobody before.
        from core.paper import Face  # noqa: PLC0415

        from ..reports.paper import pdf  # noqa: PLC0415

        with closing(Face(self._font, face=self._font_face)) as face:
            return pdf(said, by=self._by, face=face, catalogue=self._catalogue)


def by_hand(font: Path, font_face: int) -> Reports:
    """For the terminal: no site vouches for what it says."""
    catalogue = Catalogue()
    by: dict[Language, str] = {language: catalogue.plain(BY_HAND, language) for language in LANGUAGES}
    return Reports(key=b"", by=by, font=font, font_face=font_face)
