# SPDX-License-Identifier: Apache-2.0
"""What a file carries for long-term keeping (ETSI EN 319 142-1): certificates, lists and answers, and time-stamps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from ..models import StampFacts, StampState
from ..proofs.certificates import Assessor
from ..proofs.stamps import Surroundings, examine
from .gate import leaves_out_itself_alone

_MOST = 64


@dataclass(frozen=True)
class Carried:
    """The document security store, unverified."""

    certificates: tuple[bytes, ...]
    lists: tuple[bytes, ...]
    answers: tuple[bytes, ...]


@dataclass(frozen=True)
class Archive:
    """A time-stamp over the file up to ``end``."""

    end: int
    facts: StampFacts


def read_carried(reader: PdfFileReader) -> Carried:
    """The newest store of the file; an empty one where there is none."""
    if "/DSS" not in reader.root:
        return Carried((), (), ())
    # Indexing follows references, which get() does not; here and below.
    store: Any = reader.root["/DSS"]
    return Carried(*(_streams(store, name) for name in ("/Certs", "/CRLs", "/OCSPs")))


def archive_stamps(
    embedded: Sequence[EmbeddedPdfSignature], document: bytes, assessor: Assessor, carried: Carried, at: datetime
) -> list[Archive]:
    """The time-stamps over the whole file, newest first: each newer one proves the age of those before it."""
    found: list[Archive] = []
    proven: datetime | None = None
    for each in reversed([one for one in embedded if one.sig_object_type == "/DocTimeStamp"]):
        byte_range = [int(value) for value in each.byte_range]
        _, first, second, rest = byte_range
        around = Surroundings(
            assessor=assessor,
            at=at,
            others=carried.certificates,
            lists=carried.lists,
            answers=carried.answers,
            proven=proven,
        )
        covered = document[:first] + document[second : second + rest]
        facts = examine(each.pkcs7_content, covered, around, archive=True)
        if not leaves_out_itself_alone(document, byte_range, each.pkcs7_content):
            facts = replace(facts, state=StampState.BROKEN)
        if facts.state is StampState.GOOD:
            proven = facts.at
        found.append(Archive(second + rest, facts))
    return found


def _streams(store: Any, name: str) -> tuple[bytes, ...]:
    if name not in store:
        return ()
    return tuple(bytes(reference.get_object().data) for reference in list(store[name])[:_MOST])
