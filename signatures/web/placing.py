# SPDX-License-Identifier: Apache-2.0
"""Puts a seal, or one's own signature, by mouse on a document, without scripts: the page is a picture to be clicked.

A click on ``<input type="image">`` sends where it fell; the answer shows the page with a frame there. Number fields say
the same for the keyboard. Nothing is signed before the person confirms.
"""

import re
from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.identity import HEADER
from core.web import Guard, _, identity, locale
from core.web.inputs import Malformed, form_text, query_text

from ..errors import SecondAsked
from ..looks import Certification, Picture
from ..models import SealOrder
from ..pades.drawing import MM, size_of_seal
from ..service.placing import Place, Placing, corner
from .blueprint import Pages
from .wishes import permits, placement

_NUMBER = re.compile(r"-?[0-9]{1,4}(?:\.[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,5}")
# How wide the picture stands on the page, in CSS pixels: a click is told in them, so the page must not scale it.
_SIZES = {"small": 300, "large": 700}
# Drawn finer than it is shown.
_FINE = 2
_CALLER = "sign"


def placing(service: Placing, *, block: Callable[[str], tuple[float, float]], issuer: str) -> Pages:
    """The pages below ``/my/documents/<identifier>/place``; ``block`` is how large a person's own signature is.

    They confirm it at ``issuer``.
    """

    def pages(blue: Blueprint, guard: Guard) -> None:
        def show(identifier: str, error: TallygateError | None = None) -> ResponseReturnValue:
            subject, size = identity().subject, query_text("size", longest=5) or "small"
            if size not in _SIZES:
                raise Malformed(field="size")
            code = query_text("code", longest=3) == "yes"
            field = query_text("field")
            own = query_text("what", longest=4) == "own"
            extent = block(subject) if own else size_of_seal(with_code=code)
            place = service.place(
                subject,
                identifier,
                page=_whole("page"),
                across=_SIZES[size],
                choose=partial(_chosen, extent=extent if own else (extent[0], size_of_seal(with_code=False)[1])),
                size=extent,
                field=field,
            )
            if own:
                # The form leads to sign-on, where people confirm.
                g.form_targets = (issuer,)
            shown = render_template(
                "signatures/place.html",
                identifier=identifier,
                place=place,
                size=size,
                field=field if any(each.name == field for each in place.fields) else "",
                code=code,
                own=own,
                picture=_address(identifier, place, size),
                millimetres=lambda points: f"{points / MM:.1f}",
                organisations=service.organisations(subject),
                chinese=locale().startswith("zh"),
                error=_(error.message) if error else "",
                certifications=Certification,
            )
            return shown, error.kind.status if error else 200

        @blue.context_processor
        def reach() -> dict[str, object]:
            return {
                "place_of": lambda identifier, **more: url_for("signatures.place", identifier=identifier, **more),
                "picture_of": lambda identifier, page: url_for(
                    "signatures.picture", identifier=identifier, page=page, size="large"
                ),
            }

        @blue.get("/my/documents/<identifier>/place")
        @guard.person(assurance=2)
        def place(identifier: str) -> ResponseReturnValue:
            return show(identifier)

        @blue.get("/my/documents/<identifier>/picture")
        @guard.person(assurance=2)
        def picture(identifier: str) -> Response:
            size = query_text("size", longest=5) or "small"
            if size not in _SIZES:
                raise Malformed(field="size")
            names = ("x", "y", "width", "height")
            x, y, width, height = (_number(name) for name in names)
            outline = None if x is None or y is None or width is None or height is None else (x, y, width, height)
            png = service.drawn(
                identity().subject, identifier, page=_whole("page"), across=_FINE * _SIZES[size], outline=outline
            )
            return Response(png, content_type="image/png", headers={"Cache-Control": "no-store"})

        @blue.post("/my/documents/<identifier>/seal")
        @guard.person(assurance=2)
        def seal_mine(identifier: str) -> ResponseReturnValue:
            organisation = form_text("organisation", longest=64)
            where, allowed = placement(request.form), permits(request.form)

            def order(document: bytes) -> SealOrder:
                return SealOrder(
                    document=document,
                    organisation=organisation,
                    caller=_CALLER,
                    unverified_identity=request.headers.get(HEADER, ""),
                    placement=where,
                    permits=allowed,
                    code=form_text("code", longest=3, optional=True) == "yes",
                    further=form_text("further", longest=3, optional=True) == "yes",
                )

            try:
                kept = service.seal(identity().subject, identifier, order)
            except SecondAsked as asked:
                return redirect(asked.address, code=303)
            except TallygateError as error:
                if error.kind.status not in {400, 403, 409}:
                    raise
                return show(identifier, error)
            return redirect(url_for("signatures.my_document", identifier=kept.id), code=303)

    return pages


def _chosen(picture: Picture, *, extent: tuple[float, float]) -> tuple[float, float]:
    """The lower left corner that was asked for: by a click, by numbers in millimetres, or not at all."""
    clicked = _number("at.x"), _number("at.y")
    # Whoever presses Enter on the picture has not pointed anywhere.
    if None not in clicked and clicked != (0, 0):
        across, down = float(clicked[0] or 0), float(clicked[1] or 0)
        scale = picture.wide / picture.width
        # The middle of the seal stands where the person pointed.
        return across * scale - extent[0] / 2, picture.high - down * scale - extent[1] / 2
    x, y = _number("left"), _number("up")
    if x is None or y is None:
        return corner(picture, width=extent[0])
    return x * MM, y * MM


def _address(identifier: str, place: Place, size: str) -> str:
    return url_for(
        "signatures.picture",
        identifier=identifier,
        page=place.picture.page,
        size=size,
        x=f"{place.x:.1f}",
        y=f"{place.y:.1f}",
        width=f"{place.width:.1f}",
        height=f"{place.height:.1f}",
    )


def _number(name: str) -> float | None:
    said = query_text(name, longest=10)
    if not said:
        return None
    if not _NUMBER.fullmatch(said):
        raise Malformed(field=name)
    return float(said)


def _whole(name: str) -> int:
    said = query_text(name, longest=5) or "0"
    if not _WHOLE.fullmatch(said):
        raise Malformed(field=name)
    return int(said)
