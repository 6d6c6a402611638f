# SPDX-License-Identifier: Apache-2.0
"""XML signatures (XMLDSig, XAdES: ETSI EN 319 132), enveloped, enveloping or detached, on signxml.

signxml says whether a signature verifies; what it covers is ours to say. A reference to a part of a document, an
identifier that stands there twice and a document type are how signatures are wrapped around other content, so nothing
but the whole document, the whole object or a named file counts as covered. What stands as a countersignature is told of
the signature that it stands in, and of nothing else.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.exceptions import InvalidDigest, InvalidInput, InvalidSignature, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ..models import Format
from ..proofs import keys
from ..proofs.signed_data import NOBODY, Signer
from .facts import Found, Setting, beside

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
_LOCAL = re.compile(r"#[A-Za-z_][A-Za-z0-9_.-]*")
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_BASE64 = "http://www.w3.org/2000/09/xmldsig#base64"
_PLAIN_C14N = re.compile(
    r"http://www\.w3\.org/(?:TR/2001/REC-xml-c14n-20010315|2006/12/xml-c14n11|2001/10/xml-exc-c14n#)(?:#?WithComments)?"
)
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
}
# Whose elements may stand unsigned within a signature: no reader shows them as content.
_OWN = (
    "{http://www.w3.org/2000/09/xmldsig#}",
    "{http://www.w3.org/2009/xmldsig11#}",
    "{http://www.w3.org/2001/10/xml-exc-c14n#}",
    "{http://uri.etsi.org/01903/v1.3.2#}",
    "{http://uri.etsi.org/01903/v1.4.1#}",
)
# What a countersignature stands in, from the nearest.
_AROUND = [
    f"{_XADES}CounterSignature",
    f"{_XADES}UnsignedSignatureProperties",
    f"{_XADES}UnsignedProperties",
    f"{_XADES}QualifyingProperties",
    f"{_DS}Object",
    f"{_DS}Signature",
]
_IDENTIFIERS = frozenset({"Id", "ID", "id"})
_MOST = 20
Resolve = Callable[[str], bytes | None]


class _Chosen(XMLVerifier):
    """Verifies the signature at one place of the document, not the first that is found."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def _get_signature(self, root: Any) -> Any:
        return list(root.iter(f"{_DS}Signature"))[self._number]


def parse(document: bytes) -> Any:
    """The document's root.

    Raises:
        ValueError: not XML, with a document type, or with an identifier that stands there twice.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("not XML") from error
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type")
    names = [value for node in root.iter() for value in _identifiers(node)]
    if len(set(names)) != len(names):
        raise ValueError("an identifier twice")
    return root


def _identifiers(node: Any) -> list[str]:
    """By what references find an element: whatever the namespace of the attribute, for signxml looks for them all."""
    return [value for name, value in node.attrib.items() if str(name).rpartition("}")[2] in _IDENTIFIERS]


def read_file(document: bytes, content: bytes | None, setting: Setting) -> Found:
    """All signatures of one XML document.

    Raises:
        ValueError: not XML that may be read.
    """
    found = Found()
    root = parse(document)
    # What stands around the root no signature reaches, and a style sheet named there decides what is shown.
    around = any(each.tag is etree.PI for way in (True, False) for each in root.itersiblings(preceding=way))
    for one in signatures(root, lambda _: content, beside=content is not None):
        if isinstance(one, str):
            found.unread.append(one)
            continue
        inside = root.tag == f"{_DS}Signature" and one.objects
        whole = not one.loose and not around and (one.enveloped or inside or (one.external and _nothing_else(root)))
        uncovered: tuple[str, ...] = () if whole or one.signer.digest_matches is None else ("XML",)
        if content is not None and not one.external:
            # It signs what stands in itself; what came beside is something else.
            uncovered = (*uncovered, beside(content))
        found.add(one.signer, setting, format=Format.XADES, name=one.name, uncovered=uncovered)
    found.enclose(content)
    for each in root.iter(f"{_DS}Object"):
        found.enclose(_in_base64(each))
    return found


def _in_base64(held: Any) -> bytes | None:
    """How a document that is no XML lies in a signature."""
    try:
        return decoded(held.text) if len(held) == 0 else None
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class XmlSignature:
    """One signature and what it reaches."""

    name: str
    signer: Signer
    # It covers the whole document around it; objects inside it; files by their names. Whole, not what transforms leave.
    enveloped: bool
    objects: bool
    external: tuple[str, ...]
    # There are objects inside it that it does not cover.
    loose: bool


def signatures(root: Any, resolve: Resolve, *, beside: bool) -> Iterator[XmlSignature | str]:
    """Each signature of a document, or a short word where one cannot be read; ``resolve`` finds files by name.

    Those that stand as countersignatures come with the signature that they stand in.
    """
    nodes = list(root.iter(f"{_DS}Signature"))
    if len(nodes) > _MOST:
        yield "limits"
    found = [(node, _tried(root, node, number, resolve, beside=beside)) for number, node in enumerate(nodes[:_MOST])]
    counters = [(_outermost(node), _counter(node, one)) for node, one in found if _countersigned(node) is not None]
    for node, one in found:
        if _countersigned(node) is not None:
            continue
        own = tuple(each for above, each in counters if above is node)
        yield one if isinstance(one, str) else replace(one, signer=replace(one.signer, counters=own))


def _tried(root: Any, node: Any, number: int, resolve: Resolve, *, beside: bool) -> XmlSignature | str:
    try:
        return _read(root, node, number, resolve, beside=beside)
    except (UnsupportedAlgorithm, InvalidInput, KeyError):
        return "unknown_algorithm"
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError):
        return "part_malformed"


def _countersigned(node: Any) -> Any | None:
    """The signature in whose unsigned properties another stands as a countersignature."""
    above = list(islice(node.iterancestors(), len(_AROUND)))
    return above[-1] if [each.tag for each in above] == _AROUND else None


def _outermost(node: Any) -> Any:
    while (above := _countersigned(node)) is not None:
        node = above
    return node


def _counter(node: Any, one: XmlSignature | str) -> Signer:
    """What stands as a countersignature; one that is none proves nothing, as one that cannot be read."""
    if isinstance(one, str):
        return NOBODY
    above = _countersigned(node)
    sound = above is _outermost(node) and _over_value(node, above)
    return one.signer if sound else replace(one.signer, digest_matches=False)


def _over_value(node: Any, above: Any) -> bool:
    """Whether it is over the value of that signature, and besides over nothing but what stands in itself."""
    value = above.find(f"{_DS}SignatureValue")
    named = {f"#{each}" for each in _identifiers(value)}
    inside = {f"#{each}" for part in node.iterdescendants() for each in _identifiers(part)}
    references = list(node.iterfind(f"{_DS}SignedInfo/{_DS}Reference"))
    over = [each for each in references if each.get("URI") in named]
    return (
        len(over) == 1
        and _plain(over[0], value, enveloped=False)
        and all(each.get("URI") in inside for each in references if each is not over[0])
    )


def _read(root: Any, node: Any, number: int, resolve: Resolve, *, beside: bool) -> XmlSignature | str:
    shown = [decoded(each.text) for each in node.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")]
    if not shown:
        return "no_certificate"
    own = x509.load_der_x509_certificate(shown[0])
    references = list(node.iterfind(f"{_DS}SignedInfo/{_DS}Reference"))
    uris = [reference.get("URI") for reference in references]
    if any(uri is None for uri in uris):
        return "part_malformed"
    outside = [uri for uri in uris if uri and not uri.startswith("#")]
    missing = bool(outside) and not beside and any(resolve(uri) is None for uri in outside)
    matches, verifies = _verified(root, number, own, resolve, missing=missing)
    here = {"", *(f"#{each}" for each in _identifiers(root))} if node is not root else set()
    named = {value: each for each in root.iter() for value in _identifiers(each)}
    whole = {
        uri
        for uri, each in zip(uris, references, strict=True)
        if _plain(each, named.get(uri[1:]), enveloped=uri in here)
    }
    reached = {uri[1:] for uri in whole if uri and _LOCAL.fullmatch(uri)}
    objects = [each for each in node.iterfind(f"{_DS}Object") if not _only_properties(each)]
    covered = [each for each in objects if reached.intersection(_identifiers(each))]
    properties = next(_of(node, f"{_XADES}SignedProperties"), None)
    signed_properties = properties is not None and any(
        reference.get("Type") == _PROPERTIES and reference.get("URI") == f"#{properties.get('Id')}"
        for reference in references
    )
    other = not signed_properties or _names_another(properties, shown[0])
    values = node.find(f"{_DS}SignatureValue")
    stamps = list(islice(_stamps(node, values), _MOST))
    method = str(node.find(f"{_DS}SignedInfo/{_DS}SignatureMethod").get("Algorithm"))
    digests = {str(each.get("Algorithm")) for each in node.iterfind(f"{_DS}SignedInfo//{_DS}DigestMethod")}
    return XmlSignature(
        name=str(node.get("Id") or number + 1),
        signer=Signer(
            certificate=shown[0],
            others=tuple(shown[1:]),
            digest_matches=None if missing else matches,
            signature_verifies=verifies,
            claimed_at=_claimed(properties) if signed_properties else None,
            algorithm=method.rpartition("#")[2][:40] + keys.short_key(own),
            weak=keys.short_key(own) != ""
            or any(keys.weak_digest(DIGESTS.get(name, "")) for name in digests)
            or method.endswith("sha1"),
            other_certificate=other and properties is not None,
            signature=_form(values, None),
            tokens=tuple(token for token, _ in stamps),
            forms=tuple(form for _, form in stamps),
            archived=False,
            lists=tuple(_values(node, "CRLValues", "EncapsulatedCRLValue")),
            answers=tuple(_values(node, "OCSPValues", "EncapsulatedOCSPValue")),
            value=decoded(values.text),
        ),
        enveloped=bool(here & whole),
        objects=bool(covered),
        external=tuple(uri for uri in outside if uri in whole),
        loose=len(covered) != len(objects) or _smuggled(node) or _interrupted(root, into=covered),
    )


def _stamps(node: Any, values: Any) -> Iterator[tuple[bytes, bytes]]:
    """Each time-stamp with what it is over: the signature's value as an element, in the form that it says."""
    for part in _of(node, f"{_XADES}UnsignedSignatureProperties"):
        for around in part.iterfind(f"{_XADES}SignatureTimeStamp"):
            form = _form(values, around.find(f"{_DS}CanonicalizationMethod"))
            for each in around.iterfind(f"{_XADES}EncapsulatedTimeStamp"):
                yield decoded(each.text), form


def _form(values: Any, said: Any) -> bytes:
    method = "" if said is None else str(said.get("Algorithm"))
    exclusive, comments = method.startswith(_EXCLUSIVE), method.endswith("WithComments")
    found: bytes = etree.tostring(values, method="c14n", exclusive=exclusive, with_comments=comments)
    return found


def _nothing_else(root: Any) -> bool:
    """Whether the document holds signatures alone: nothing that a reader could take for what was signed."""
    if root.tag == f"{_DS}Signature":
        return True
    texts = [root.text, *(each.tail for each in root)]
    return all(each.tag == f"{_DS}Signature" for each in root) and not any((text or "").strip() for text in texts)


def _smuggled(node: Any) -> bool:
    """Whether somebody put in properties of their own, or elements of another language among those nobody signs."""
    counters = [each for each in node.iterdescendants(f"{_DS}Signature") if _countersigned(each) is not None]
    theirs = sum(1 for each in counters for _ in _of(each, f"{_XADES}SignedProperties"))
    if sum(1 for _ in node.iter(f"{_XADES}SignedProperties")) - theirs > 1:
        return True
    if not all(_only_properties(held) for each in counters for held in each.iterfind(f"{_DS}Object")):
        return True
    unsigned = node.iterfind(f".//{_XADES}UnsignedProperties")
    return any(isinstance(each.tag, str) and not each.tag.startswith(_OWN) for part in unsigned for each in part.iter())


def _interrupted(root: Any, *, into: Sequence[Any] = ()) -> bool:
    """Whether a comment stands within a text; of signatures, only ``into`` these of their objects it is looked.

    Comments are not signed, so anybody may set one; and a program that reads a text up to it reads another text.
    """
    for around in {each.getparent() for each in root.iter(etree.Comment)} - {None}:
        inside = [around, *around.iterancestors()]
        if any(one.tag == f"{_DS}Signature" for one in inside) and not any(one in into for one in inside):
            continue
        if "".join([around.text or "", *(one.tail or "" for one in around)]).strip():
            return True
    return False


def _only_properties(found: Any) -> bool:
    """Whether an object holds the properties of the signature and nothing else."""
    texts = [found.text, *(each.tail for each in found)]
    return [each.tag for each in found] == [f"{_XADES}QualifyingProperties"] and not any(
        (text or "").strip() for text in texts
    )


def _verified(root: Any, number: int, own: x509.Certificate, resolve: Resolve, *, missing: bool) -> tuple[bool, bool]:
    """Whether all digests match, and whether the signature verifies."""
    weak_too = SignatureConfiguration(
        expect_references=True,
        # Dates are ours to judge.
        verification_time=own.not_valid_before_utc,
        ignore_ambiguous_key_info=True,
    )
    find = (lambda _: b"") if missing else resolve
    try:
        _Chosen(number).verify(root, x509_cert=own, uri_resolver=find, validate_schema=True, expect_config=weak_too)
    except InvalidDigest:
        # The signature over the list of digests was checked before any of them.
        return False, True
    except InvalidSignature:
        return True, False
    return True, True


def _plain(reference: Any, target: Any, *, enveloped: bool) -> bool:
    """Nothing is cut out of what is referenced, but for the signature itself where the whole document is."""
    methods = [str(each.get("Algorithm")) for each in reference.iterfind(f"{_DS}Transforms/{_DS}Transform")]
    if methods == [_BASE64] and target is not None and len(target) == 0:
        # The text of an object, and there is nothing else in it that could be read.
        decoded(target.text)
        return True
    return all((method == _ENVELOPED and enveloped) or _PLAIN_C14N.fullmatch(method) for method in methods)


def _names_another(properties: Any, own: bytes) -> bool:
    found = False
    for version in ("SigningCertificateV2", "SigningCertificate"):
        digest = properties.find(f".//{_XADES}{version}/{_XADES}Cert/{_XADES}CertDigest")
        if digest is None:
            continue
        name = DIGESTS.get(str(digest.find(f"{_DS}DigestMethod").get("Algorithm")), "")
        if not name or decoded(digest.find(f"{_DS}DigestValue").text) != keys.hashed(name, own):
            return True
        found = True
    return not found


def _claimed(properties: Any) -> datetime | None:
    node = properties.find(f".//{_XADES}SigningTime")
    if node is None or not node.text:
        return None
    found = datetime.fromisoformat(node.text.strip())
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _of(node: Any, tag: str) -> Iterator[Any]:
    """What is a signature's own, and not of one that stands within it."""
    return (each for each in node.iter(tag) if next(each.iterancestors(f"{_DS}Signature"), None) is node)


def _values(node: Any, around: str, name: str) -> Iterator[bytes]:
    """Of what stands unsigned with a signature."""
    own = [
        each
        for part in _of(node, f"{_XADES}UnsignedSignatureProperties")
        for each in part.iterfind(f".//{_XADES}{around}/{_XADES}{name}")
        if next(each.iterancestors(f"{_DS}Signature")) is node
    ]
    for each in own[:_MOST]:
        yield decoded(each.text)


def decoded(text: str | None) -> bytes:
    """Base64 of XML, with its white space.

    Raises:
        ValueError: it is none.
    """
    try:
        return b64decode("".join((text or "").split()), validate=True)
    except NotBase64 as error:
        raise ValueError("not base64") from error
