# SPDX-License-Identifier: Apache-2.0
"""OFD (GB/T 33190) with electronic seals (GB/T 38540, GM/T 0031): SM3 over every file, SM2 of signer and seal maker.

The signature is over the list of files with their digests, and names the seal that is shown. A file that is in no list
is named, for somebody may have put it there; a signature that is on no list is never taken for none.
"""

import hmac
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..models import Chain, Format, Revocation, SealFacts
from ..proofs import keys, sm2
from ..proofs.known import certificate
from ..proofs.signed_data import NotSignedData, Signer, read
from . import seals
from .containers import Container, NotAContainer
from .facts import Found, Setting, shown
from .xades import decoded, parse

_NS = "{http://www.ofdspec.org/2016}"
_MOST = 50
_SEQUENCE = 0x30
_STRAY = "ZIP"
_ROOT = "OFD.xml"


class _UnknownSeal(ValueError):
    """Neither form of a seal."""


def read_file(document: bytes, _content: bytes | None, setting: Setting) -> Found:
    """All signatures of the document.

    Raises:
        NotAContainer, ValueError: it cannot be read.
    """
    box = Container(document)
    found = Found()
    lists = _lists(box)
    places = [place for listed in lists for place in _places(box, listed)]
    if len(places) > _MOST:
        raise NotAContainer("limits")
    own = {*lists, *places}
    for place in places:
        own |= _beside(box, place)
    if len(lists) > 1 and any(_ROOT in _listed(box, place) for place in places):
        # Each document in the file has a list of its own; the root is as it was when the last of them was sealed.
        own.add(_ROOT)
    for place in places:
        try:
            _signature(box, place, own, setting, found)
        except _UnknownSeal:
            found.unread.append("old_seal")
        except (ValueError, TypeError, KeyError, AttributeError):
            found.unread.append("part_malformed")
    if not places and any("sign" in name.casefold() for name in box.names):
        # A list of signatures that the document no longer mentions.
        found.unread.append("part_malformed")
    return found


def _lists(box: Container) -> list[str]:
    root = parse(box.read(_ROOT))
    return [_resolved(_ROOT, node.text) for node in root.iterfind(f"{_NS}DocBody/{_NS}Signatures")]


def _places(box: Container, listed: str) -> list[str]:
    root = parse(box.read(listed))
    return [_resolved(listed, node.get("BaseLoc")) for node in root.iterfind(f"{_NS}Signature")]


def _beside(box: Container, place: str) -> set[str]:
    """The files of a signature itself, which no reader shows; what is no DER may be a page that it calls its own."""
    root = parse(box.read(place))
    texts = [root.findtext(f"{_NS}SignedValue"), root.findtext(f"{_NS}SignedInfo/{_NS}Seal/{_NS}BaseLoc")]
    named = {_resolved(place, text) for text in texts if text}
    return {name for name in named if name in box.names and box.read(name)[:1] == bytes((_SEQUENCE,))}


def _listed(box: Container, place: str) -> set[str]:
    root = parse(box.read(place))
    return {_resolved(place, each.get("FileRef")) for each in root.iter(f"{_NS}Reference")}


def _resolved(base: str, text: str | None) -> str:
    name = (text or "").strip()
    whole = name if name.startswith("/") else posixpath.join(posixpath.dirname(base), name)
    found = posixpath.normpath(whole).lstrip("/")
    if not name or found.startswith(".."):
        raise ValueError("a place outside")
    return found


def _signature(box: Container, place: str, own: set[str], setting: Setting, found: Found) -> None:
    content = box.read(place)
    root = parse(content)
    info = root.find(f"{_NS}SignedInfo")
    references = info.find(f"{_NS}References")
    digest = seals.digest_name(str(references.get("CheckMethod")))
    covered, intact = set(), True
    for each in references.iterfind(f"{_NS}Reference"):
        name = _resolved(place, each.get("FileRef"))
        value = decoded(each.findtext(f"{_NS}CheckValue"))
        covered.add(name)
        intact &= name in box.names and hmac.compare_digest(keys.hashed(digest, box.read(name)), value)
    value = box.read(_resolved(place, root.findtext(f"{_NS}SignedValue")))
    uncovered = [name for name in box.names if name not in covered | own] + ([_STRAY] if box.stray else [])
    around: dict[str, Any] = {
        "format": Format.OFD,
        "name": str(root.get("ID") or posixpath.dirname(place)),
        "covered": sorted(covered),
        "uncovered": uncovered,
    }
    try:
        sealed = seals.read(value)
    except (ValueError, TypeError, KeyError):
        for signer in _plain(value, content, intact=intact, weak=keys.weak_digest(digest)):
            found.add(signer, setting, **around)
        return
    picture = _shown_seal(box, place, info)

    def judged(proven: datetime | None) -> SealFacts:
        return _seal(sealed, setting, picture, proven)

    signer = _signer(sealed, content, place, intact=intact, weak=keys.weak_digest(digest))
    found.add(signer, setting, **around, seal=judged)


def _plain(value: bytes, content: bytes, *, intact: bool, weak: bool) -> Iterator[Signer]:
    """A digital signature without a seal: GB/T 35275, the Chinese twin of CMS."""
    try:
        signers = read(value, content).signers
    except NotSignedData as error:
        if value[:1] == bytes((_SEQUENCE,)):
            raise _UnknownSeal from error
        raise
    for signer in signers:
        yield replace(
            signer,
            digest_matches=None if signer.digest_matches is None else signer.digest_matches and intact,
            weak=signer.weak or weak,
        )


def _shown_seal(box: Container, place: str, info: Any) -> bytes | None:
    where = info.findtext(f"{_NS}Seal/{_NS}BaseLoc")
    return box.read(_resolved(place, where)) if where else None


def _signer(sealed: seals.Sealed, content: bytes, place: str, *, intact: bool, weak: bool) -> Signer:
    same = hmac.compare_digest(sm2.sm3(content), sealed.digest)
    named = posixpath.normpath(sealed.place).lstrip("/")
    # What the old form says there is every maker's own; a place is meant only where it is written as one.
    placed = named == place or (sealed.old and not sealed.place.startswith("/"))
    return Signer(
        certificate=sealed.certificate,
        others=(sealed.maker,),
        digest_matches=intact and same and placed,
        signature_verifies=sealed.signer_signed(),
        claimed_at=sealed.at,
        algorithm="sm2 sm3",
        weak=weak,
        # The seal says whose hand may use it.
        other_certificate=not sealed.allows(sealed.certificate),
        signature=sealed.signature,
        tokens=(sealed.token,) if sealed.token else (),
        archived=False,
        lists=(),
        answers=(),
    )


def _seal(sealed: seals.Sealed, setting: Setting, picture: bytes | None, proven: datetime | None) -> SealFacts:
    same = picture is None or hmac.compare_digest(picture, sealed.seal)
    found = setting.grounds.assessor.assess(sealed.maker, others=(), at=setting.at, proven=proven)
    # Who may sign nothing makes no seals either: a card for logging in, a server.
    gone = found.revocation in {Revocation.REVOKED, Revocation.SUSPENDED}
    trusted = found.chain is Chain.TRUSTED and found.purpose and not gone
    name = found.name or found.organisation or found.serial
    return SealFacts(
        verifies=same and trusted and sealed.maker_signed(),
        maker=shown(name),
        start=sealed.start,
        end=sealed.end,
        old=sealed.old,
        self_made=_same_hand(sealed.maker, sealed.certificate),
        unsaid=trusted and found.revocation is Revocation.UNAVAILABLE,
    )


def _same_hand(one: bytes, other: bytes) -> bool:
    """Whether two certificates are of one key or of one name."""
    first, second = certificate(one), certificate(other)
    return bool(first.public_key.dump() == second.public_key.dump() or first.subject == second.subject)
