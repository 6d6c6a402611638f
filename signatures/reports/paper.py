# SPDX-License-Identifier: Apache-2.0
"""The verdict on paper: what a clerk puts into the file, in English and 中文. The same verdict gives the same bytes."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.errors import N_
from core.paper import Face, Section, table

from ..models import Colour, Level, Severity, StampState, Value
from ..verdict.words import (
    BESIDE,
    COLOURS,
    LANGUAGES,
    LASTING,
    LEVELS,
    PROBLEMS,
    QUESTIONS,
    SEVERITIES,
    STAMP_STATES,
    Catalogue,
    Language,
    moment,
    short,
)

_TITLE = N_("Report on a signed document")
_NO_SEAL = N_(
    "This report itself is not signed. Whoever doubts it checks the document again: the fingerprint says which one it "
    "was."
)
_PROFILES = {
    "strict": N_("nothing may have happened to the document after it was signed"),
    "tolerant": N_("forms may have been filled in after it was signed"),
}
_MOST = 200


def pdf(said: Mapping[str, Any], *, by: Mapping[Language, str], face: Face, catalogue: Catalogue) -> bytes:
    """The report of one verdict, given as its JSON; ``by`` names who checked, in each language."""
    title = " · ".join(catalogue.plain(_TITLE, language) for language in LANGUAGES)
    foot = f"SHA-256 {said['document']['sha256']} · {said['checked_at']}"
    sections = [part for language in LANGUAGES for part in _Told(said, by[language], language, catalogue).sections()]
    file = io.BytesIO()
    table(file, title, sections, foot=foot, face=face)
    return file.getvalue()


class _Told:
    """One verdict in one language."""

    def __init__(self, said: Mapping[str, Any], by: str, language: Language, catalogue: Catalogue) -> None:
        self._said = said
        self._by = by
        self._language: Language = language
        self._catalogue = catalogue

    def sections(self) -> Iterator[Section]:
        yield Section(
            title=self._said["headline"][self._language],
            before=self._said["advice"][self._language],
            rows=list(self._about()),
        )
        if self._said["problems"]:
            yield Section(title=self._say(PROBLEMS), before="", rows=list(self._problems()))
        signatures = self._said["signatures"]
        for number, one in enumerate(signatures, start=1):
            title = self._say(N_("Signature %(number)s of %(total)s")) % {"number": number, "total": len(signatures)}
            yield Section(title=title, before="", rows=list(self._signature(one)))

    def _say(self, message: str) -> str:
        return self._catalogue.plain(message, self._language)

    def _moment(self, text: str | None) -> str:
        return moment(datetime.fromisoformat(text), self._language) if text else "—"

    def _about(self) -> Iterator[tuple[str, Sequence[str]]]:
        said = self._said
        yield self._say(N_("Colour")), [self._say(COLOURS[Colour(said["colour"])])]
        yield self._say(N_("Checked by")), [self._by]
        yield self._say(N_("Checked on")), [self._moment(said["checked_at"])]
        yield self._say(N_("Rule")), [self._say(_PROFILES[said["profile"]])]
        size = self._say(N_("%(size)s bytes")) % {"size": said["document"]["size"]}
        yield self._say(N_("Fingerprint of the file (SHA-256)")), [said["document"]["sha256"], size]
        if said["content"]:
            yield self._say(N_("Fingerprint of the document beside it (SHA-256)")), [said["content"]["sha256"]]
        standard = f"{said['indication']} {said['subindication']}".strip()
        yield self._say(N_("Result in the words of the standard")), [f"{standard} (ETSI EN 319 102-1)"]
        yield self._say(N_("About this report")), [self._say(_NO_SEAL)]

    def _problems(self) -> Iterator[tuple[str, Sequence[str]]]:
        for problem in self._said["problems"]:
            number = problem["signature"]
            where = self._say(N_("Signature %(number)s:")) % {"number": number} if number else ""
            yield self._say(SEVERITIES[Severity(problem["severity"])]), [f"{where} {problem[self._language]}".strip()]

    def _signature(self, one: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
        for name, question in QUESTIONS.items():
            answer = one["answers"][name]
            yield self._say(question), [self._say(short(name, Value(answer["value"]))), answer[self._language]]
        certificate = one["certificate"]
        if certificate is None:
            return
        if one["level"]:
            yield self._say(N_("Level")), [self._say(LEVELS[Level(one["level"])])]
        yield self._say(N_("Signed on, by the signer's word")), [self._moment(one["claimed_at"])]
        yield self._say(N_("Proved to exist on")), [self._moment(one["proven_at"])]
        for stamp in one["stamps"]:
            yield self._say(N_("Time-stamp")), list(self._stamp(stamp))
        yield self._say(N_("Name")), [certificate["name"] or "—"]
        yield self._say(N_("Organisation")), [certificate["organisation"] or "—"]
        yield self._say(N_("Issuer")), [certificate["issuer"] or "—"]
        valid = self._say(N_("from %(start)s to %(end)s"))
        dates = {"start": self._moment(certificate["not_before"]), "end": self._moment(certificate["not_after"])}
        yield self._say(N_("Valid")), [valid % dates]
        yield self._say(N_("Serial number")), [certificate["serial"]]
        yield self._say(N_("Fingerprint of the certificate (SHA-256)")), [certificate["sha256"]]
        for name, label in (
            ("changed_fields", N_("Fields filled in after signing")),
            ("covered", N_("Files that it covers")),
            ("uncovered", N_("Files that it does not cover")),
        ):
            if one[name]:
                yield self._say(label), [", ".join(one[name][:_MOST])]

    def _stamp(self, stamp: Mapping[str, Any]) -> Iterator[str]:
        yield f"{stamp['name'] or '?'}, {self._moment(stamp['at'])}"
        yield self._say(STAMP_STATES[StampState(stamp["state"])])
        # An answer that was given before this was said has none.
        algorithm = stamp.get("algorithm", "")
        if algorithm:
            lasting = f" ({self._say(LASTING)})" if algorithm.startswith("ML-DSA") else ""
            yield f"{algorithm}{lasting}"
        if stamp.get("beside"):
            yield self._say(BESIDE)
