# SPDX-License-Identifier: Apache-2.0
"""A document as our archive hands it out: stamped in the file, and by another algorithm beside it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from signatures.formats.kept import Beside, pack
from signatures.pades import cms, longterm
from signatures.pades.archive import TWICE
from tests.signatures import documents, made, stamper
from tests.signatures.pki import NOW, City, Leaf


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The parts and the whole."""

    document: bytes
    # What both time-stamps are over.
    covered: bytes
    token: bytes
    container: bytes


def kept(city: City, sealed: bytes, *, classical: Leaf, lattice: Leaf, at: datetime = NOW) -> Kept:
    """What the archive does, without the archive."""
    shown = [made.der(classical), *made.chain(classical), *made.chain(lattice)]
    proved = longterm.add_proofs(sealed, certificates=shown, lists=city.lists())
    room = longterm.prepare_stamp(proved, room=16384, name=f"{TWICE}1")
    covered = documents.covered(room)
    within = stamper.token(covered, classical, at)
    document = cms.put_into(room.document, start=room.start, end=room.end, content=within)
    token = stamper.token(covered, lattice, at)
    beside = Beside(number=1, digest=hashlib.sha256(covered).hexdigest(), at=at, token=token)
    roots = city.trust().roots
    return Kept(
        document=document,
        covered=covered,
        token=token,
        container=pack("notice.pdf", document, stamps=1, roots=roots, beside=[beside]),
    )
