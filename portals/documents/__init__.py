# SPDX-License-Identifier: Apache-2.0
"""The document office on the internal network: official documents for civil servants, each with its classification."""

from core.errors import N_

from ..base import Portal
from .content import documents
from .web import downloads as downloads

PORTAL = Portal(
    name="documents",
    title=N_("Document office"),
    lead=N_("Official documents for civil servants, to read, to sign and to seal."),
    template="documents.html",
    content=documents,
)
