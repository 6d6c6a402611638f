# SPDX-License-Identifier: Apache-2.0
"""A PDF from our archive with its proof in one ZIP file: the document, time-stamps beside it, what to read first.

Nothing of the container is signed but the PDF and, through it, the time-stamps. So the rest must be what the archive
writes, to the letter; whatever else lies there is named, for somebody may have put it there.
"""

import asyncio
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..models import Format, Inspection, Profile, SignatureFacts
from ..pades import inspection as pdf
from ..pades.archive import MOST_BESIDE
from ..pades.grounds import Grounds
from .containers import Container, NotAContainer
from .facts import shown
from .kinds import PROOF

ROOTS = "roots.pem"
_TEXT = """\
{name}
SHA-256 {sha256}

This PDF carries its signatures, what their issuers said, and {stamps} archive time-stamps. Any program that knows PAdES
(ETSI EN 319 142-1) checks it; roots.pem holds the roots to trust. Time-stamps of another algorithm stand beside it, one
file each (RFC 3161, DER), over what the archive time-stamp of the same number is over:

本 PDF 内含其签名、签发机构的状态信息以及 {stamps} 个归档时间戳。任何支持 PAdES（ETSI EN 319 142-1）的程序均可
核验；roots.pem 为应信任的根证书。另一种算法的时间戳各存一个文件（RFC 3161，DER），所覆盖的内容与同一序号的归档
时间戳相同：

"""  # noqa: RUF001 - Chinese punctuation
_STAMPS = re.compile(r"and ([0-9]{1,4}) archive time-stamps")
_LINE = re.compile(r"(beside-[1-9][0-9]{0,3}\.tst)  SHA-256 [0-9a-f]{64}  [0-9T:.+-]{19,40}\n")
_TOKEN = re.compile(r"beside-[1-9][0-9]{0,3}\.tst")
_CERTIFICATES = re.compile(
    rb"(?:-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n){1,64}"
)
_MOST_TEXT, _LARGEST_TOKEN = 64 * 1024, 256 * 1024
_STRAY = "ZIP"


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A time-stamp over what the archive time-stamp of this number is over."""

    number: int
    # SHA-256 of what both are over.
    digest: str
    at: datetime
    token: bytes

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"beside-{self.number}.tst"


def pack(name: str, document: bytes, *, stamps: int, roots: Sequence[str], beside: Sequence[Beside]) -> bytes:
    """The container; the same packs to the same bytes."""
    said = _TEXT.format(name=name, sha256=hashlib.sha256(document).hexdigest(), stamps=stamps)
    said += "".join(f"{each.name}  SHA-256 {each.digest}  {each.at.isoformat()}\n" for each in beside)
    content = {
        name: document,
        PROOF: said.encode(),
        ROOTS: "".join(roots).encode(),
        **{each.name: each.token for each in beside},
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as box:
        for each, data in content.items():
            # A date that says nothing.
            box.writestr(zipfile.ZipInfo(each), data)
    return whole.getvalue()


def inspect(
    container: bytes,
    *,
    grounds: Grounds,
    profile: Profile,
    at: datetime,
    run: Callable[[Coroutine[Any, Any, Inspection]], Inspection] = asyncio.run,
    beside: Sequence[bytes] = (),
) -> Inspection:
    """Read the PDF with the time-stamps beside it; never raises for what is in it."""
    try:
        box = Container(container)
        name, tokens = _parts(box, room=MOST_BESIDE - len(beside))
        found = pdf.inspect(
            box.read(name),
            grounds=grounds,
            profile=profile,
            at=at,
            run=run,
            beside=[*(box.read(each) for each in tokens), *beside],
        )
        return _around(found, box, name, tokens)
    except NotAContainer as error:
        return Inspection(failure=error.reason, format=Format.KEPT)
    except (MemoryError, RecursionError):
        return Inspection(failure="limits", format=Format.KEPT)


def _parts(box: Container, *, room: int) -> tuple[str, list[str]]:
    """The name of the document, and those of the time-stamps."""
    documents = [name for name in box.names if name.casefold().endswith(".pdf")]
    if len(documents) != 1 or not documents[0].isprintable():
        # Which of several is meant, nobody can tell; and a name is no place for lines of text.
        raise NotAContainer
    tokens = [each for each in box.names if _TOKEN.fullmatch(each)]
    if len(tokens) > room or any(len(box.read(each)) > _LARGEST_TOKEN for each in tokens):
        raise NotAContainer("limits")
    return documents[0], tokens


def _around(found: Inspection, box: Container, name: str, tokens: Sequence[str]) -> Inspection:
    """What was found in the document, with what lies around it."""
    listed = _listed(box, name)
    others = {name, *tokens, *([PROOF] if listed is not None else []), *([ROOTS] if _roots(box) else [])}
    uncovered = [each for each in box.names if each not in others] + ([_STRAY] if box.stray else [])
    missing = len(set(listed or ()) - set(tokens))

    def within(one: SignatureFacts) -> SignatureFacts:
        return replace(
            one,
            absent=max(one.absent, missing),
            promised=True,
            covered=(shown(name),),
            uncovered=(*one.uncovered, *map(shown, uncovered)),
            # Of the PDF and not of this file, so nobody can cut it out of these bytes.
            revision=0,
        )

    return replace(found, signatures=tuple(map(within, found.signatures)), format=Format.KEPT)


def _listed(box: Container, name: str) -> tuple[str, ...] | None:
    """Which time-stamps the text names; nothing if it is not the archive's, which would say something of its own."""
    content = box.read(PROOF)
    try:
        said = content[:_MOST_TEXT].decode()
    except UnicodeDecodeError:
        return None
    counted = _STAMPS.search(said)
    if len(content) > _MOST_TEXT or counted is None:
        return None
    head = _TEXT.format(name=name, sha256=hashlib.sha256(box.read(name)).hexdigest(), stamps=counted.group(1))
    lines = said.removeprefix(head).splitlines(keepends=True)
    if not said.startswith(head) or not all(map(_LINE.fullmatch, lines)):
        return None
    return tuple(_names(lines))


def _names(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield line.partition(" ")[0]


def _roots(box: Container) -> bool:
    """Whether there are certificates and nothing else; whom this side trusts, they do not change."""
    return ROOTS in box.names and _CERTIFICATES.fullmatch(box.read(ROOTS)) is not None
