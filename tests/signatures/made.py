# SPDX-License-Identifier: Apache-2.0
"""Signed files of every kind but PDF, written out for tests by other code than the one that reads them."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, core, crl, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml import methods
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm
from signxml.signer import SignatureReference
from signxml.xades.xades import XAdESSigner

from tests.signatures import stamper
from tests.signatures.pki import NOW, Leaf

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
ASIC_E, SIGNATURES = b"application/vnd.etsi.asic-e+zip", "META-INF/signatures.xml"
LETTER = b"The city owes you 1000 yuan.\n"


def der(leaf: Leaf) -> bytes:
    return leaf.certificate.public_bytes(Encoding.DER)


def chain(leaf: Leaf) -> list[bytes]:
    return [found.public_bytes(Encoding.DER) for found in x509.load_pem_x509_certificates(leaf.chain)]


def cades(
    content: bytes,
    leaves: Sequence[Leaf],
    *,
    at: datetime = NOW,
    detached: bool = False,
    digest: str = "sha256",
    lists: Sequence[bytes] = (),
    named: Leaf | None = None,
    by: Leaf | None = None,
    over: bytes | None = None,
    beside: Leaf | None = None,
    over_beside: bytes | None = None,
) -> bytes:
    """A CAdES-B object by any number of signers; ``named`` is whom the signed attribute names instead.

    Time-stamped if ``by`` is given, and by a second unit if ``beside`` is.
    """
    infos, shown = [], []
    for leaf in leaves:
        own = asn1_x509.Certificate.load(der(leaf))
        hashed = hashlib.sha256(der(named or leaf)).digest()
        names = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": hashed})]})
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hashlib.new(digest, content).digest()]}),
                cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": at})]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [names]}),
            ]
        )
        algorithm, signature = _signed(leaf, attributes.dump())
        unsigned = {}
        if by is not None:
            units = [(by, over), *([(beside, over_beside)] if beside else [])]
            tokens = [cms.ContentInfo.load(stamper.token(wrong or signature, unit, at)) for unit, wrong in units]
            attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": tokens})
            unsigned["unsigned_attrs"] = cms.CMSAttributes([attribute])
        infos.append(
            cms.SignerInfo(
                {
                    **unsigned,
                    "version": "v1",
                    "sid": cms.SignerIdentifier(
                        {
                            "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                                {"issuer": own.issuer, "serial_number": own.serial_number}
                            )
                        }
                    ),
                    "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
                    "signed_attrs": attributes,
                    "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": algorithm}),
                    "signature": signature,
                }
            )
        )
        shown += [der(leaf), *chain(leaf)]
    encapsulated: dict[str, Any] = {"content_type": "data"}
    if not detached:
        encapsulated["content"] = content
    data: dict[str, Any] = {
        "version": "v1",
        "digest_algorithms": [algos.DigestAlgorithm({"algorithm": digest})],
        "encap_content_info": encapsulated,
        "certificates": [asn1_x509.Certificate.load(each) for each in dict.fromkeys(shown)],
        "signer_infos": infos,
    }
    if lists:
        data["crls"] = [cms.RevocationInfoChoice(name="crl", value=crl.CertificateList.load(each)) for each in lists]
    found: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)}).dump()
    return found


def streamed(document: bytes, size: int) -> bytes:
    """The same object as programs write it that do not wait for the end of its content: without lengths, in pieces."""
    data = cms.ContentInfo.load(document)["content"]
    content = data["encap_content_info"]["content"].native
    pieces = b"".join(core.OctetString(content[at : at + size]).dump() for at in range(0, len(content), size))

    def unended(tag: int, *parts: bytes) -> bytes:
        return b"".join((bytes((tag, 0x80)), *parts, b"\0\0"))

    inside = unended(0x30, cms.ContentType("data").dump(), unended(0xA0, unended(0x24, pieces)))
    before, after = (
        [data[name].dump() for name in names] for names in (("version", "digest_algorithms"), ("certificates",))
    )
    signed = unended(0x30, *before, inside, *after, data["signer_infos"].dump())
    return unended(0x30, cms.ContentType("signed_data").dump(), unended(0xA0, signed))


def _kind(leaf: Leaf) -> str:
    if isinstance(leaf.key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return "mldsa65" if isinstance(leaf.key, mldsa.MLDSA65PrivateKey) else "sha256_ecdsa"


def _signed(leaf: Leaf, data: bytes) -> tuple[str, bytes]:
    """The name of the algorithm in asn1crypto, and the signature."""
    kind = _kind(leaf)
    found: bytes = leaf.key.sign(data, *([ec.ECDSA(hashes.SHA256())] if kind == "sha256_ecdsa" else []))
    return kind, found


def jws(content: bytes, leaf: Leaf, *, at: datetime = NOW, detached: bool = False, **header: Any) -> bytes:
    """Compact, with the certificate and the claimed time of JAdES."""
    shown = [base64.b64encode(each).decode() for each in (der(leaf), *chain(leaf))]
    names = {"ed25519": "Ed25519", "mldsa65": "ML-DSA-65"}
    alg = next((name for kind, name in names.items() if _kind(leaf) == kind), "ES256")
    said = {"alg": alg, "x5c": shown, "sigT": at.isoformat(), "crit": ["sigT"], **header}
    protected, payload = _url(json.dumps(said).encode()), _url(content)
    _, raw = _signed(leaf, protected + b"." + payload)
    if alg == "ES256":
        r, s = utils.decode_dss_signature(raw)
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    signature = _url(raw)
    return b".".join((protected, b"" if detached else payload, signature))


def _url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jades(
    content: bytes,
    leaf: Leaf,
    *,
    at: datetime = NOW,
    by: Leaf | None = None,
    over: bytes | None = None,
    lists: Sequence[bytes] = (),
    clear: bool = False,
) -> bytes:
    """The JSON form, with a time-stamp and lists beside the signature; ``clear``: not in base64url."""
    protected, payload, signature = jws(content, leaf, at=at).split(b".")
    beside: list[Any] = []
    if by is not None:
        token = base64.b64encode(stamper.token(over or signature, by, at)).decode()
        beside.append({"sigTst": {"tstTokens": [{"val": token}]}})
    if lists:
        beside.append({"rVals": {"crlVals": [{"val": base64.b64encode(each).decode()} for each in lists]}})
    told = beside if clear else [_url(json.dumps(each).encode()).decode() for each in beside]
    whole = {
        "payload": payload.decode(),
        "protected": protected.decode(),
        "header": {"etsiU": told},
        "signature": signature.decode(),
    }
    return json.dumps(whole).encode()


class _At(XAdESSigner):
    """The library takes the machine's clock; tests sign at a time of their own."""

    moment: datetime = NOW

    def add_signing_time(self, signed_signature_properties: Any, sig_root: Any, signing_settings: Any) -> None:
        super().add_signing_time(signed_signature_properties, sig_root, signing_settings)
        signed_signature_properties[-1].text = self.moment.isoformat()


def xades(
    content: bytes,
    leaf: Leaf,
    *,
    at: datetime = NOW,
    enveloping: bool = False,
    named: str = "",
    by: Leaf | None = None,
    stamped_at: datetime | None = None,
    over: bytes | None = None,
    lists: Sequence[bytes] = (),
) -> bytes:
    """A letter in XML with an enveloped XAdES signature, or an object within one; time-stamped if ``by`` is given.

    With ``named`` the reference goes to the letter by the attribute of that name.
    """
    method = methods.enveloping if enveloping else methods.enveloped
    signer = _At(method=method, digest_algorithm=DigestAlgorithm.SHA256, signature_algorithm="ecdsa-sha256")
    signer.moment = at
    letter = etree.Element("letter")
    letter.text = content.decode()
    if named:
        letter.set(named, "letter")
    shown = leaf.pem.decode() + leaf.chain.decode()
    to = "#letter" if named else None
    root = signer.sign(letter, key=leaf.key, cert=shown, always_add_key_value=False, reference_uri=to)
    if by is not None:
        stamp(root, by, stamped_at or at, over, lists)
    found: bytes = etree.tostring(root)
    return found


@dataclass(frozen=True)
class Part:
    """One reference of a signature: where to, what its digest is over, and the transforms that it names."""

    uri: str
    content: bytes
    transforms: Sequence[str] = ()


class _Over(_At):
    """Signs whatever digests it is told; a library would refuse to make most of them."""

    parts: Sequence[Part] = ()

    def _unpack(self, *_: Any) -> Any:
        return etree.Element(f"{_DS}Signature", nsmap={"ds": _DS[1:-1]}), None, list(self.parts), list(self.parts)

    def _build_sig(
        self,
        sig_root: Any,
        references: Any,
        c14n_inputs: Any,
        inclusive_ns_prefixes: Any,
        exclude_c14n_transform_element: Any = False,  # noqa: FBT002 - signxml's signature
    ) -> Any:
        library: Any = super()
        given = [SignatureReference(URI=each.uri) for each in references]
        contents = [each.content for each in c14n_inputs]
        info, value = library._build_sig(
            sig_root, given, contents, inclusive_ns_prefixes, exclude_c14n_transform_element
        )
        for part, reference in zip(self.parts, info.iterfind(f"{_DS}Reference"), strict=True):
            around = reference.find(f"{_DS}Transforms")
            for each in list(around):
                around.remove(each)
            for method in part.transforms:
                etree.SubElement(around, f"{_DS}Transform", Algorithm=method)
            if not part.transforms:
                reference.remove(around)
        return info, value

    def _add_reference_to_signed_info(self, sig_root: Any, node_to_reference: Any, **attrs: Any) -> None:
        library: Any = super()
        library._add_reference_to_signed_info(sig_root, node_to_reference, **attrs)
        # The same form wherever the signature will stand.
        around = etree.Element(f"{_DS}Transforms")
        etree.SubElement(around, f"{_DS}Transform", Algorithm=self.c14n_alg.value)
        sig_root.find(f"{_DS}SignedInfo")[-1].insert(0, around)

    def _c14n(self, nodes: Any, algorithm: Any, inclusive_ns_prefixes: Any = None) -> Any:
        return nodes if isinstance(nodes, bytes) else super()._c14n(nodes, algorithm, inclusive_ns_prefixes)


def xades_over(
    parts: Sequence[Part],
    leaf: Leaf,
    *,
    at: datetime = NOW,
    by: Leaf | None = None,
    over: bytes | None = None,
    lists: Sequence[bytes] = (),
) -> Any:
    """An XAdES signature of its own over these parts, as an element."""
    signer = _Over(
        method=methods.detached,
        digest_algorithm=DigestAlgorithm.SHA256,
        signature_algorithm="ecdsa-sha256",
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signer.moment, signer.parts = at, parts
    shown = leaf.pem.decode() + leaf.chain.decode()
    root = signer.sign(b"", key=leaf.key, cert=shown, always_add_key_value=False)
    if by is not None:
        stamp(root, by, at, over, lists, exclusive=True)
    return root


def countersigned(document: bytes, counters: Sequence[Any]) -> bytes:
    """The same XML with these signatures among the properties that its signature does not sign."""
    root = etree.fromstring(document)
    ns = "{http://uri.etsi.org/01903/v1.3.2#}"
    above = next(root.iter(f"{ns}QualifyingProperties"))
    for name in ("UnsignedProperties", "UnsignedSignatureProperties"):
        found = above.find(f"{ns}{name}")
        above = etree.SubElement(above, f"{ns}{name}") if found is None else found
    for each in counters:
        etree.SubElement(above, f"{ns}CounterSignature").append(each)
    found_: bytes = etree.tostring(root)
    return found_


def named_value(document: bytes, name: str = "value") -> tuple[bytes, bytes]:
    """The same XML with a name for the value of its signature, and that value as it is countersigned."""
    root = etree.fromstring(document)
    value = next(root.iter(f"{_DS}SignatureValue"))
    value.set("Id", name)
    alone = etree.fromstring(etree.tostring(value, with_tail=False))
    return etree.tostring(root), etree.tostring(alone, method="c14n", exclusive=True)


def asic_xades(files: Mapping[str, bytes], leaf: Leaf, *, more: Mapping[str, bytes] | None = None, **how: Any) -> bytes:
    """ASiC-E with an XAdES signature over all files; ``more`` is put beside or in the place of what is there."""
    return zipped({"mimetype": ASIC_E, **files, SIGNATURES: signed_files(files, leaf, **how), **(more or {})})


def signed_files(files: Mapping[str, bytes], leaf: Leaf, **how: Any) -> bytes:
    """The file of signatures in a container."""
    root = etree.Element("{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures")
    root.append(xades_over([Part(name, content) for name, content in files.items()], leaf, **how))
    found: bytes = etree.tostring(root)
    return found


def stamp(
    root: Any, by: Leaf, at: datetime, over: bytes | None, lists: Sequence[bytes], *, exclusive: bool = False
) -> None:
    """With ``exclusive`` the stamp says in which form it is over the value, so that this may stand anywhere."""
    value = next(root.iter(f"{_DS}SignatureValue"))
    made = stamper.token(over or etree.tostring(value, method="c14n", exclusive=exclusive), by, at)
    ns = "{http://uri.etsi.org/01903/v1.3.2#}"
    properties = next(root.iter(f"{ns}QualifyingProperties"))
    unsigned = etree.SubElement(
        etree.SubElement(properties, f"{ns}UnsignedProperties"), f"{ns}UnsignedSignatureProperties"
    )
    stamp = etree.SubElement(unsigned, f"{ns}SignatureTimeStamp")
    if exclusive:
        method = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value
        etree.SubElement(stamp, f"{_DS}CanonicalizationMethod", Algorithm=method)
    token = etree.SubElement(stamp, f"{ns}EncapsulatedTimeStamp")
    token.text = base64.b64encode(made).decode()
    if lists:
        values = etree.SubElement(etree.SubElement(unsigned, f"{ns}RevocationValues"), f"{ns}CRLValues")
        for each in lists:
            etree.SubElement(values, f"{ns}EncapsulatedCRLValue").text = base64.b64encode(each).decode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as box:
        for name, content in files.items():
            box.writestr(zipfile.ZipInfo(name), content)
    return output.getvalue()


def manifest(files: Mapping[str, bytes], signature: str) -> bytes:
    listed = "".join(
        f'<a:DataObjectReference URI="{name}"><d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<d:DigestValue>{base64.b64encode(hashlib.sha256(content).digest()).decode()}</d:DigestValue>"
        "</a:DataObjectReference>"
        for name, content in files.items()
    )
    return (
        '<a:ASiCManifest xmlns:a="http://uri.etsi.org/02918/v1.2.1#" xmlns:d="http://www.w3.org/2000/09/xmldsig#">'
        f'<a:SigReference URI="{signature}"/>{listed}</a:ASiCManifest>'
    ).encode()


def asic(files: Mapping[str, bytes], sign: Any, *, more: Mapping[str, bytes] | None = None) -> bytes:
    """ASiC-E with a CAdES signature over a manifest; ``sign`` makes it from the manifest."""
    listed = manifest(files, "META-INF/signature.p7s")
    return zipped(
        {
            "mimetype": ASIC_E,
            **files,
            "META-INF/ASiCManifest.xml": listed,
            "META-INF/signature.p7s": sign(listed),
            **(more or {}),
        }
    )


def naming(files: Mapping[str, bytes]) -> str:
    """What the record's report says of the files beside it."""
    listed = sorted({"mimetype": ASIC_E, **files}.items())
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in listed)
    return f"tallygate-files:sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def evidence(report: bytes, files: Mapping[str, bytes]) -> bytes:
    """As the record packs it."""
    everything = {"mimetype": ASIC_E, "report.pdf": report, **files}
    said = {
        "format": "tallygate-evidence/2",
        "files": {n: hashlib.sha256(c).hexdigest() for n, c in everything.items()},
    }
    return zipped({**everything, "META-INF/manifest.json": json.dumps(said).encode()})


def unzipped(document: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(document)) as box:
        return {name: box.read(name) for name in box.namelist()}


def payload_swapped(document: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
    protected, _, signature = document.split(b".")
    return b".".join((protected, _url(b"The city owes you 9000 yuan.\n"), signature)), content


def own(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
