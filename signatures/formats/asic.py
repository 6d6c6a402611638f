# SPDX-License-Identifier: Apache-2.0
"""Containers of documents and signatures (ASiC-S, ASiC-E: ETSI EN 319 162-1), and our own evidence files.

Whatever is no part of the container itself is a document; one that no signature covers is named, for somebody may have
put it there.
"""

import hmac
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote

from ..models import Format, Profile
from ..pades import describing
from ..pades import inspection as pdf
from ..pades.gate import looks_like_pdf
from ..proofs import keys
from ..proofs.signed_data import NotSignedData, Signer, read, unarmoured
from . import xades
from .containers import Container, NotAContainer
from .facts import Found, Setting

_XML = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_CMS = re.compile(r"META-INF/[^/]*\.p7s", re.IGNORECASE)
_MANIFEST = re.compile(r"META-INF/ASiCManifest[^/]*\.xml", re.IGNORECASE)
# What may lie in META-INF beside signatures and is not shown to anybody.
_OWN = re.compile(
    r"META-INF/(?:ASiC[A-Za-z]*Manifest[^/]*\.xml|[^/]*\.(?:tst|ers)|(?:manifest|container|metadata)\.xml|MANIFEST\.MF)",
    re.IGNORECASE,
)
_TYPE = re.compile(rb"application/[A-Za-z0-9.+-]{1,80}\s*")
_TRACES = re.compile(r"(?:META-INF|_xmlsignatures)/.*", re.IGNORECASE)
# Which every document of some office programs has, signed or not.
_HOLLOW = re.compile(r"META-INF/(?:MANIFEST\.MF|(?:manifest|container|metadata)\.xml)", re.IGNORECASE)
_MIMETYPE, _STRAY = "mimetype", "ZIP"
_ASIC = "{http://uri.etsi.org/02918/v1.2.1#}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_EVIDENCE, _REPORT = "META-INF/manifest.json", "report.pdf"
# In the report's properties: the digest of the list of all other files.
_FILES = re.compile(r"tallygate-files:sha256:([0-9a-f]{64})")


def read_file(document: bytes, _content: bytes | None, setting: Setting) -> Found:
    """All signatures of the container.

    Raises:
        NotAContainer, ValueError: it cannot be read.
    """
    box = Container(document)
    found = Found()
    for name in box.names:
        if _XML.fullmatch(name):
            _xml(box, name, setting, found)
        elif _CMS.fullmatch(name):
            _cms(box, name, setting, found)
    _enclosed(box, found)
    if not found.signatures and not found.unread and _traces(box):
        found.unread.append("signature_unconfirmed")
    return found


def _enclosed(box: Container, found: Found, *, but: str = "") -> None:
    for name in _documents(box):
        try:
            if name != but and looks_like_pdf(box.begins(name)):
                found.enclose(box.read(name))
        except NotAContainer:
            # Nobody can open it either, and what is signed was read before.
            continue


def _traces(box: Container) -> bool:
    """Whether it looks as if there was a signature, or was to be one."""
    left = [name for name in box.names if _TRACES.fullmatch(name) and not _HOLLOW.fullmatch(name)]
    return bool(left) or (_MIMETYPE in box.names and b"asic" in box.read(_MIMETYPE))


def _documents(box: Container) -> list[str]:
    def own(name: str) -> bool:
        if name == _MIMETYPE:
            return _TYPE.fullmatch(box.read(name)) is not None
        return any(each.fullmatch(name) for each in (_XML, _CMS, _OWN))

    return [name for name in box.names if not own(name)]


def _uncovered(box: Container, covered: set[str]) -> list[str]:
    return [name for name in _documents(box) if name not in covered] + ([_STRAY] if box.stray else [])


def _xml(box: Container, name: str, setting: Setting, found: Found) -> None:
    def resolve(uri: str) -> bytes | None:
        inside = _inside(uri)
        return box.read(inside) if inside in box.names else None

    try:
        there = list(xades.signatures(xades.parse(box.read(name)), resolve, beside=False))
    except ValueError:
        there = []
    for one in there or ["part_malformed"]:
        if isinstance(one, str):
            found.unread.append(one)
            continue
        covered = {_inside(uri) for uri in one.external}
        found.add(
            one.signer,
            setting,
            format=Format.ASIC,
            name=f"{name} {one.name}",
            covered=sorted(covered),
            uncovered=_uncovered(box, covered),
        )


def _cms(box: Container, name: str, setting: Setting, found: Found) -> None:
    signed, covered, matching = _signed_by(box, name)
    try:
        signers = read(unarmoured(box.read(name)), signed).signers
    except NotSignedData:
        found.unread.append("part_malformed")
        return
    for number, signer in enumerate(signers, start=1):
        altered = signer.digest_matches is True and not matching
        found.add(
            signer if not altered else _altered(signer),
            setting,
            format=Format.ASIC,
            name=f"{name} {number}",
            covered=sorted(covered),
            uncovered=_uncovered(box, covered),
        )


def _signed_by(box: Container, name: str) -> tuple[bytes | None, set[str], bool]:
    """What a CMS signature is over: a manifest that names it, or the only document there is."""
    for manifest in filter(_MANIFEST.fullmatch, box.names):
        content = box.read(manifest)
        root = xades.parse(content)
        reference = root.find(f"{_ASIC}SigReference")
        if root.tag != f"{_ASIC}ASiCManifest" or reference is None or _inside(str(reference.get("URI"))) != name:
            continue
        listed = list(_listed(root))
        matching = all(
            each in box.names and hmac.compare_digest(keys.hashed(digest, box.read(each)), value)
            for each, digest, value in listed
        )
        return content, {each for each, _, _ in listed}, matching and bool(listed)
    documents = _documents(box)
    return (box.read(documents[0]), set(documents), True) if len(documents) == 1 else (None, set(), True)


def _listed(root: object) -> Iterator[tuple[str, str, bytes]]:
    for each in root.iterfind(f"{_ASIC}DataObjectReference"):  # type: ignore[attr-defined]  # an element of lxml
        method = each.find(f"{_DS}DigestMethod").get("Algorithm")
        name = xades.DIGESTS.get(str(method), "")
        if keys.weak_digest(name) or not name:
            raise ValueError("digest")
        yield _inside(str(each.get("URI"))), name, xades.decoded(each.find(f"{_DS}DigestValue").text)


def _inside(uri: str) -> str:
    """A name in the container; never one outside."""
    name = posixpath.normpath(unquote(uri.partition("#")[0])).lstrip("/")
    return "" if name.startswith("..") else name


def _altered(signer: Signer) -> Signer:
    return replace(signer, digest_matches=False)


def read_evidence(document: bytes, _content: bytes | None, setting: Setting) -> Found:
    """The seal on the report of an evidence file, and whether every file is the one in the manifest and in the report.

    The manifest itself is signed by nobody; the report says the digest of the list of all files beside it. One that
    does not vouches for itself alone, and the other files are named: anybody may have put them beside it.

    What the log proves is proved by ``verify_evidence.py`` inside, with the log's key; here it is said what is sealed.

    Raises:
        NotAContainer, ValueError: it cannot be read.
    """
    box = Container(document)
    manifest = json.loads(box.read(_EVIDENCE))
    files = manifest["files"]
    # A name of two lines would read like two names in the list that the report says the digest of.
    intact = (
        all(map(str.isprintable, files))
        and set(files) | {_EVIDENCE} == set(box.names)
        and all(
            hmac.compare_digest(keys.hashed("sha256", box.read(name)).hex(), str(value))
            for name, value in files.items()
        )
    )
    found = Found()
    if _REPORT not in box.names:
        # Somebody gave another container the looks of one of ours.
        return read_file(document, None, setting)
    report = pdf.inspect(
        box.read(_REPORT), grounds=setting.grounds, profile=Profile.STRICT, at=setting.at, run=setting.run
    )
    if report.failure:
        raise NotAContainer(report.failure)
    found.unread += report.unread
    found.hidden.kinds.update(report.hidden)
    _enclosed(box, found, but=_REPORT)
    said = _FILES.fullmatch(describing.keywords(box.read(_REPORT)))
    intact = intact and (said is None or hmac.compare_digest(said[1], _list_digest(files)))
    uncovered = sorted(set(files) - {_MIMETYPE, _REPORT}) if said is None else []
    for one in report.signatures:
        found.signatures.append(
            replace(
                one,
                digest_matches=one.digest_matches and intact,
                format=Format.EVIDENCE,
                covered=(_REPORT,) if said is None else tuple(sorted(files)),
                uncovered=(*one.uncovered, *uncovered, *([_STRAY] if box.stray else [])),
            )
        )
    if report.marks > len(report.signatures) + len(report.unread):
        found.unread.append("signature_unconfirmed")
    return found if found.signatures or found.unread else read_file(document, None, setting)


def _list_digest(files: Mapping[str, object]) -> str:
    """Of all files but the report, as sha256sum writes them, by name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()) if name != _REPORT)
    return keys.hashed("sha256", lines.encode()).hex()
