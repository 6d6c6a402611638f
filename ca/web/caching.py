# SPDX-License-Identifier: Apache-2.0
"""What caches are told about answers and lists (RFC 9919 section 6.2)."""

import hashlib
from datetime import datetime, timedelta
from email.utils import format_datetime

from ..service import Answer

MARGIN = timedelta(minutes=1)
"""Caches let go of an answer so long before it ends; clocks differ."""


def answer_headers(answer: Answer, now: datetime) -> dict[str, str]:
    """The headers of one OCSP answer; one for a nonce, or about nothing, is nobody else's."""
    kind = {"Content-Type": "application/ocsp-response"}
    if not answer.shared or answer.made is None or answer.until is None:
        return {**kind, "Cache-Control": "no-store"}
    age = max(0, int((answer.until - MARGIN - now).total_seconds()))
    return {
        **kind,
        "Cache-Control": f"public, no-transform, must-revalidate, max-age={age}",
        **marks(answer.der, made=answer.made, until=answer.until - MARGIN),
    }


def marks(der: bytes, *, made: datetime, until: datetime) -> dict[str, str]:
    """By what it is told from the next, and how long it is good."""
    return {
        "Last-Modified": format_datetime(made.replace(microsecond=0), usegmt=True),
        "Expires": format_datetime(until.replace(microsecond=0), usegmt=True),
        "ETag": f'"{hashlib.sha256(der).hexdigest()}"',
    }
