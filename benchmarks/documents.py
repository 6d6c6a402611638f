# SPDX-License-Identifier: Apache-2.0
"""Documents: an agency seals a one-page PDF over the role's interface; anybody verifies it behind nginx."""

import io
import itertools
from urllib.parse import urlencode

from reportlab.pdfgen.canvas import Canvas

from signatures import SealOrder
from signatures.client import SignatureClient

from .measure import Figure, repeat, wrk
from .place import Place

AGENCY = "document-office"
CALLERS = 4


def seals(place: Place, actor: str) -> Figure:
    """Different documents, sealed as fast as the role answers."""
    client, number = SignatureClient(place.context.peer("app", "signatures")), itertools.count()
    return repeat(lambda: client.seal(_order(actor, next(number))), seconds=place.seconds, threads=CALLERS)


def sealed(place: Place, actor: str) -> bytes:
    """One sealed document."""
    return SignatureClient(place.context.peer("app", "signatures")).seal(_order(actor, -1))


def verifications(place: Place, document: bytes) -> Figure:
    """The same document again and again; nothing is kept between two verifications."""
    return wrk(
        place.url("external", f"/api/v1/verify?{urlencode({'profile': 'strict'})}"),
        seconds=place.seconds,
        connections=CALLERS,
        headers={"Host": place.context.site.host("verify"), "Content-Type": "application/pdf"},
        body=document,
    )


def _order(actor: str, number: int) -> SealOrder:
    return SealOrder(
        document=_page(f"Notice {number}"),
        organisation=AGENCY,
        actor=actor,
        caller="app",
        assurance=2,
        zone="internal",
        session="",
    )


def _page(text: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, text)
    canvas.save()
    return buffer.getvalue()
