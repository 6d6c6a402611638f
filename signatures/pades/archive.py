# SPDX-License-Identifier: Apache-2.0
"""What a file carries for long-term keeping (ETSI EN 319 142-1): certificates, lists and answers, and time-stamps.

A time-stamp may also come beside the file: over what one in the file is over, by another algorithm. Nothing in the file
is over that one, so nothing proves its age but itself.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from ..models import StampFacts, StampState
from ..proofs.certificates import Assessor
from ..proofs.keys import hashed
from ..proofs.stamps import Surroundings, examine, imprint, is_token, proven_at
from .gate import leaves_out_itself_alone

KEPT = "TallygateKept"
"""What the fields are called in which our archive puts its time-stamps."""
TWICE = "TallygateKeptTwice"
"""The same, where a second one was made beside the file: so the file says itself that there is one."""
MOST_BESIDE = 64
"""Time-stamps beside one file."""
_MOST = 64
_STAMP = "/DocTimeStamp"
# Of no place in the file, so that it concerns every signature.
_EVERYWHERE = sys.maxsize


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
    # One beside the file was made with it, as its field says, and did not come.
    alone: bool = False
    # The file calls it a time-stamp, and it is something else.
    disguised: bool = False


def read_carried(reader: PdfFileReader) -> Carried:
    """The newest store of the file; an empty one where there is none."""
    if "/DSS" not in reader.root:
        return Carried((), (), ())
    # Indexing follows references, which get() does not; here and below.
    store: Any = reader.root["/DSS"]
    return Carried(*(_streams(store, name) for name in ("/Certs", "/CRLs", "/OCSPs")))


def archive_stamps(
    embedded: Sequence[EmbeddedPdfSignature],
    document: bytes,
    assessor: Assessor,
    carried: Carried,
    *,
    at: datetime,
    beside: Sequence[bytes] = (),
) -> list[Archive]:
    """The time-stamps over the whole file, newest first: each newer one proves the age of those before it.

    After each stand the tokens of ``beside`` that are over the same; those that are over nothing here come first.
    """
    found: list[Archive] = []
    left = [(token, imprint(token)) for token in beside]
    # By where they end, for in which revision one was announced first says nothing of what it is over.
    for each in sorted((one for one in embedded if one.sig_object_type == _STAMP), key=_end, reverse=True):
        byte_range = [int(value) for value in each.byte_range]
        _, first, second, rest = byte_range
        around = Surroundings(
            assessor=assessor,
            at=at,
            others=carried.certificates,
            lists=carried.lists,
            answers=carried.answers,
            proven=proven_at(later.facts for later in found if later.end > second + rest),
        )
        covered = document[:first] + document[second : second + rest]
        facts = examine(each.pkcs7_content, covered, around, archive=True)
        whole = leaves_out_itself_alone(document, byte_range, each.pkcs7_content)
        if not whole:
            facts = replace(facts, state=StampState.BROKEN)
        digests = {name: hashed(name, covered) for name in {each[0] for _, each in left if each}} if whole else {}
        fitting = [token for token, said in left if said and digests.get(said[0]) == said[1]]
        left = [(token, said) for token, said in left if token not in fitting]
        seconds = [
            replace(examine(token, covered, replace(around, proven=None)), archive=True, beside=True)
            for token in fitting
        ]
        promised = str(each.field_name).startswith(TWICE)
        own = Archive(second + rest, facts, alone=promised and not fitting, disguised=not is_token(each.pkcs7_content))
        found += [own, *(Archive(second + rest, stamp) for stamp in seconds)]
    return [*(Archive(_EVERYWHERE, foreign(token)) for token, _ in left), *found]


def _end(stamp: EmbeddedPdfSignature) -> int:
    return sum(int(value) for value in list(stamp.byte_range)[-2:])


def foreign(token: bytes) -> StampFacts:
    """What is to be said of a token beside a file that is over nothing in it."""
    digest = hashlib.sha256(token).hexdigest()
    return StampFacts(at=None, name="", state=StampState.BROKEN, archive=True, beside=True, sha256=digest)


def _streams(store: Any, name: str) -> tuple[bytes, ...]:
    if name not in store:
        return ()
    return tuple(bytes(reference.get_object().data) for reference in list(store[name])[:_MOST])
