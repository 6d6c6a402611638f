# SPDX-License-Identifier: Apache-2.0
"""pyHanko alone: a page signed and judged in memory, one process a core, with no service, no record and no sandbox.

What a service around this library could do at most, so it stands beside each figure. The key is loaded once and the
room for the signature given, which is several times as fast as the library's own way. The verdict has the full path,
revocation lists and difference check, and none of the questions that are ours.
"""

import asyncio
import io
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from asn1crypto import crl, keys, x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import NO_CHANGES_DIFF_POLICY
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import SimpleSigner
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.signatures.pki import NOW, Authority, Leaf

from .bare import THREADS
from .measure import Figure, Samples, sampled, together
from .signatures_acts import page

_ROOM = 8192
# The library annotates only part of itself.
_STORE: Any = SimpleCertificateStore


def signing(seconds: float) -> Figure:
    """PAdES B of one page, P-256."""
    return _every_core(_sign, seconds)


def judging(seconds: float) -> Figure:
    """The verdict on that page."""
    return _every_core(_judge, seconds)


def _every_core(act: Any, seconds: float) -> Figure:
    with ProcessPoolExecutor(THREADS, get_context("spawn")) as pool:
        return together([each.result() for each in [pool.submit(act, seconds) for _ in range(THREADS)]])


def _sign(seconds: float) -> Samples:
    signer, document = _signer(*_people()), page()
    return sampled(lambda: _signed(signer, document), seconds=seconds)


def _judge(seconds: float) -> Samples:
    root, issuer, leaf = _people()
    document = _signed(_signer(root, issuer, leaf), page())
    lists = [crl.CertificateList.load(each.crl()) for each in (root, issuer)]
    trusted = [x509.Certificate.load(root.certificate.public_bytes(Encoding.DER))]

    def act() -> None:
        context = ValidationContext(
            trust_roots=trusted, crls=lists, revocation_mode="require", moment=NOW, allow_fetching=False
        )
        found = PdfFileReader(io.BytesIO(document)).embedded_signatures[0]
        said = asyncio.run(async_validate_pdf_signature(found, context, diff_policy=NO_CHANGES_DIFF_POLICY))
        if not said.bottom_line:
            raise RuntimeError("the library does not believe its own signature")

    return sampled(act, seconds=seconds)


def _people() -> tuple[Authority, Authority, Leaf]:
    root = Authority("Root")
    issuer = Authority("Organisations", root)
    return root, issuer, issuer.leaf("Notary")


def _signer(root: Authority, issuer: Authority, leaf: Leaf) -> PdfSigner:
    store: Any = _STORE()
    for each in (root, issuer):
        store.register(x509.Certificate.load(each.certificate.public_bytes(Encoding.DER)))
    held = SimpleSigner(
        signing_cert=x509.Certificate.load(leaf.certificate.public_bytes(Encoding.DER)),
        signing_key=keys.PrivateKeyInfo.load(leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        cert_registry=store,
    )
    metadata = PdfSignatureMetadata(field_name="Seal", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    return PdfSigner(metadata, held)


def _signed(signer: PdfSigner, document: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    return bytes(asyncio.run(signer.async_sign_pdf(writer, bytes_reserved=_ROOM)).getvalue())
