# SPDX-License-Identifier: Apache-2.0
"""Gets a reading process ready: later it opens no file, so what libraries fetch while they work is fetched now."""

import codecs
from datetime import datetime

import tzlocal
from cryptography.hazmat import backends
from pyhanko.pdf_utils import filters, misc
from pyhanko.pdf_utils.crypt import pdfmac
from pyhanko.pdf_utils.metadata import xmp_xml
from pyhanko.sign.validation import pdf_embedded

from . import paths, shortcuts

_MODULES = (backends, filters, pdfmac, pdf_embedded, xmp_xml)
_ENCODINGS = (
    "ascii", "cp1252", "hex", "idna", "latin1", "punycode", "raw_unicode_escape", "utf-8", "utf-8-sig",
    "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le",
)  # fmt: skip


def load() -> None:
    """Fetch it, and take the shortcuts."""
    shortcuts.install()
    paths.install()
    for name in _ENCODINGS:
        codecs.lookup(name)
    # The backend itself is imported by whoever asks for it.
    backends.default_backend()
    tzlocal.get_localzone()
    # Both parse by a module of their own, imported at the first call.
    datetime.strptime("2026", "%Y").astimezone()
    misc.isoparse("2026-01-01T00:00:00Z")
