# SPDX-License-Identifier: Apache-2.0
"""What kind of file it is, by its first bytes and, of containers, by what they hold."""

import re

from ..models import Format
from .containers import Container, NotAContainer

_JWS = re.compile(rb"\s*(?:eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\s*|\{)")
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_PEM = re.compile(rb"\s*-----BEGIN (?:CMS|PKCS7|PKCS #7 SIGNED DATA)-----")
_SEQUENCE = b"0"
# Signed data of PKCS #7, or its Chinese twin, whatever it holds: also a PDF.
_SIGNED_DATA = re.compile(
    rb"0(?:\x80|[\x01-\x7f]|\x81.|\x82..|\x83.{3}|\x84.{4})"
    rb"\x06(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02|\x0a\x2a\x81\x1c\xcf\x55\x06\x01\x04\x02\x02)",
    re.DOTALL,
)
_BASE64_OF_A_SEQUENCE = re.compile(rb"\s*MI[A-Za-z0-9+/\s]{40,}={0,2}\s*")
EVIDENCE = "META-INF/manifest.json"
PROOF = "proof.txt"


def kind_of(document: bytes) -> Format:
    """The kind; UNKNOWN for everything else."""
    if document[:2] == b"PK":
        # First, for a container may hold a PDF near its beginning.
        return _container(document)
    if _SIGNED_DATA.match(document):
        return Format.CMS
    if b"%PDF-" in document[:1024]:
        return Format.PDF
    for pattern, found in ((_PEM, Format.CMS), (_XML, Format.XADES), (_JWS, Format.JWS)):
        if pattern.match(document):
            return found
    if document[:1] == _SEQUENCE or _BASE64_OF_A_SEQUENCE.fullmatch(document):
        return Format.CMS
    return Format.UNKNOWN


def _container(document: bytes) -> Format:
    try:
        names = Container(document).names
    except NotAContainer:
        # A ZIP that cannot be read is most likely a container of signatures; the reading says what is wrong with it.
        return Format.ASIC
    if "OFD.xml" in names:
        return Format.OFD
    if EVIDENCE in names:
        return Format.EVIDENCE
    if PROOF in names and not any(name.casefold().startswith("meta-inf/") for name in names):
        return Format.KEPT
    return Format.ASIC
