# SPDX-License-Identifier: Apache-2.0
"""How our witnesses stand, and how this site witnesses the logs of others."""

from flask import Blueprint, Response, render_template, request

from core.web import Guard

from ..console import Console
from ..witness import LARGEST, SIZE_TYPE, Inconsistent, Outdated, Witness
from ..witness.words import STAND_TONES, STANDS
from .asked import SECONDS, officer
from .blueprint import ROLE, Pages


def witnessing(console: Console, *, witness: Witness, assurance: int = 1) -> Pages:
    """The officers' page, and the protocol C2SP tlog-witness."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/witnesses")
        @guard.person(ROLE, assurance=assurance)
        def witnesses() -> str:
            return render_template(
                "audit/witnesses.html",
                status=console.witnesses(officer()),
                own=witness,
                stands=STANDS,
                told=STAND_TONES,
            )

        @made.get("/witnessed")
        @guard.public("the checkpoint that outsiders have cosigned; proofs lead to it", errors="problem")
        def witnessed_note() -> Response:
            response = Response(console.witnessed(), content_type="text/plain; charset=utf-8")
            response.headers["Cache-Control"] = SECONDS
            return response

        @made.post("/witness/add-checkpoint")
        @guard.own("the signature of a log whose key is configured here", errors="problem")
        def add_checkpoint() -> Response:
            request.max_content_length = LARGEST
            try:
                lines = witness.add_checkpoint(request.get_data(cache=False))
            except Outdated as error:
                # C2SP tlog-witness gives these two answers their form.
                return Response(f"{error.parameters['size']}\n", status=409, content_type=SIZE_TYPE)
            except Inconsistent as error:
                return Response(f"{error.detail}\n", status=422, content_type="text/plain; charset=utf-8")
            return Response(lines, content_type="text/plain; charset=utf-8")

        @made.get("/witness/<digest>/checkpoint")
        @guard.public("what this site has cosigned of a log; whoever watches that log compares it", errors="problem")
        def witnessed(digest: str) -> Response:
            response = Response(witness.latest(digest), content_type="text/plain; charset=utf-8")
            response.headers["Cache-Control"] = SECONDS
            return response

    return pages
