# SPDX-License-Identifier: Apache-2.0
"""Makes a signature last (ETSI EN 319 142-1): adds what the issuers say, and room for a time-stamp over the whole file.

Opens files that somebody sent, so it runs only inside a reading process; it needs no key, and the time-stamp is asked
for elsewhere.
"""

import io
from collections.abc import Sequence
from typing import Any

from asn1crypto import crl, ocsp, x509
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore

from ..models import Prepared
from .cms import DIGEST
from .placing import field_names


def add_proofs(
    document: bytes, *, certificates: Sequence[bytes], lists: Sequence[bytes] = (), answers: Sequence[bytes] = ()
) -> bytes:
    """The document with certificates, lists and OCSP answers in its store (level LT)."""
    writer = _writer(document)
    store: Any = DocumentSecurityStore
    store.supply_dss_in_writer(
        writer,
        None,
        certs=[x509.Certificate.load(each) for each in certificates],
        crls=[crl.CertificateList.load(each) for each in lists],
        ocsps=[ocsp.OCSPResponse.load(each) for each in answers],
    )
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def prepare_stamp(document: bytes, *, room: int, name: str) -> Prepared:
    """The document with room for a time-stamp over everything before it (level LTA).

    Its field has this name and the first number that is free.
    """
    embedder: Any = PdfCMSEmbedder()
    writer = _writer(document)
    taken = set(field_names(writer.prev))
    free = next(f"{name}{number}" for number in range(1, len(taken) + 2) if f"{name}{number}" not in taken)
    steps = embedder.write_cms(field_name=free, writer=writer)
    next(steps)
    placeholder: Any = DocumentTimestamp
    steps.send(SigObjSetup(sig_placeholder=placeholder(bytes_reserved=room)))
    output = io.BytesIO()
    region, _ = steps.send(SigIOSetup(md_algorithm=DIGEST, output=output))
    return Prepared(
        document=output.getvalue(),
        digest=region.document_digest,
        start=region.reserved_region_start,
        end=region.reserved_region_end,
    )


def _writer(document: bytes) -> Any:
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    return IncrementalPdfFileWriter.from_reader(reader)
