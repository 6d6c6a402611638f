# SPDX-License-Identifier: Apache-2.0
"""Documents that are sealed together: how far they are, on the host ``sign``, for whoever answers for the seal.

Batches begin elsewhere, by a program or the operator's command; here they are looked at, stopped, let go on, fetched.
"""

import re
from pathlib import Path

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.errors import N_, TallygateError
from core.web import Guard, _, identity
from core.web.inputs import Malformed, query_text

from ..agencies import Batch, BatchState
from ..service import Batches, Responsible
from .blueprint import Pages
from .reasons import reason

_SCRIPT = (Path(__file__).parent.parent / "static" / "batch.js").read_bytes()
_MOST = 100
_TOGETHER = 50
# Told on the page itself.
_SHOWN_AGAIN = frozenset({403, 409})
_NUMBER = re.compile(r"[0-9]{1,6}")
_STATES = {
    BatchState.OPEN: N_("takes documents"),
    BatchState.WAITING: N_("waits for keepers of the seal"),
    BatchState.REFUSED: N_("not confirmed by the keepers"),
    BatchState.STARTING: N_("is about to begin"),
    BatchState.RUNNING: N_("is being sealed"),
    BatchState.STOPPING: N_("stopped"),
    BatchState.STOPPED: N_("stopped"),
    BatchState.ENDING: N_("done"),
    BatchState.DONE: N_("done"),
}
_MOVING = frozenset({BatchState.STARTING, BatchState.RUNNING})
_HALTED = frozenset({BatchState.STOPPING, BatchState.STOPPED})


def batches(service: Batches, responsible: Responsible) -> Pages:
    """The pages below ``/my/batches``."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        def mine() -> frozenset[str]:
            return frozenset(each.id for each in responsible.organisations(identity().subject))

        def found(identifier: str) -> Batch:
            return service.concerning(identity().subject, mine(), identifier)

        @blue.context_processor
        def reach_batches() -> dict[str, object]:
            return {
                "batches_at": url_for("signatures.all_batches"),
                "batch_words": lambda state: _(_STATES[state]),
                "reason": reason,
            }

        def one(batch: Batch, error: TallygateError | None = None) -> ResponseReturnValue:
            after = query_text("after", longest=6) or "0"
            if not _NUMBER.fullmatch(after):
                raise Malformed(field="after")
            failed = service.failed(batch, after=int(after), limit=_TOGETHER + 1)
            order = service.order(batch)
            shown = render_template(
                "signatures/batch.html",
                batch=batch,
                order=service.address(order) if order else "",
                until=service.ends(batch),
                moving=batch.state in _MOVING,
                halted=batch.state in _HALTED,
                failed=failed[:_TOGETHER],
                further=failed[_TOGETHER - 1].number if len(failed) > _TOGETHER else 0,
                error=_(error.message) if error else "",
            )
            return shown, error.kind.status if error else 200

        @blue.get("/my/batches")
        @guard.person(assurance=2)
        def all_batches() -> ResponseReturnValue:
            listed = service.seen(identity().subject, mine(), limit=_MOST)
            return render_template("signatures/batches.html", batches=listed, most=_MOST)

        @blue.get("/my/batches/<identifier>")
        @guard.person(assurance=2)
        def one_batch(identifier: str) -> ResponseReturnValue:
            return one(found(identifier))

        @blue.get("/my/batches/<identifier>/far")
        @guard.person(assurance=2, errors="problem")
        def batch_far(identifier: str) -> Response:
            batch = found(identifier)
            far = {"made": batch.made, "failed": batch.failed, "waiting": batch.waiting}
            return jsonify({**far, "state": batch.state.value, "moving": batch.state in _MOVING})

        @blue.get("/my/batches/<identifier>/results.zip")
        @guard.person(assurance=2)
        def batch_results(identifier: str) -> Response:
            batch = found(identifier)
            response = Response(service.packed_for(batch, by=identity().subject), content_type="application/zip")
            response.headers["Content-Disposition"] = f'attachment; filename="batch-{batch.id[:8]}.zip"'
            response.headers["Cache-Control"] = "no-store"
            return response

        @blue.post("/my/batches/<identifier>/<step>")
        @guard.person(assurance=2)
        def step_batch(identifier: str, step: str) -> ResponseReturnValue:
            batch = found(identifier)
            try:
                if step == "stop":
                    service.stop(batch, by=identity().subject)
                elif step == "resume":
                    service.resume(batch, by=identity().subject)
                else:
                    raise Malformed(field="step")
            except TallygateError as error:
                if error.kind.status not in _SHOWN_AGAIN or isinstance(error, Malformed):
                    raise
                return one(found(identifier), error)
            return redirect(url_for("signatures.one_batch", identifier=identifier), code=303)

        @blue.get("/my/batch.js")
        @guard.person(assurance=2)
        def batch_script() -> Response:
            return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")

    return pages
