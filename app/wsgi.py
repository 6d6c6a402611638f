# SPDX-License-Identifier: Apache-2.0
"""What a granian worker loads: the application of the role named in the environment."""

import gc
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import TallygateError
from core.log import configure, logger

from .acting import die_with
from .context import Context
from .in_force import RECORDED, take_up


def application() -> Callable[..., Any]:
    """Compose the role's application; called once per worker process."""
    # A killed main process must not leave this worker serving on its socket.
    die_with(os.getppid())
    role = os.environ["TALLYGATE_ROLE"]
    configure(role)
    try:
        context = Context.read(Path(os.environ["TALLYGATE_SITE"]))
        if role in RECORDED:
            take_up(context, role)
        composed = compose(role, context)
    except TallygateError as error:
        # In words, on one line; granian would print where in the code it happened.
        logger(__name__).error("role_cannot_start", code=error.code, why=error.detail)
    except Exception:  # noqa: BLE001 - whatever it is, the log has one object per line
        logger(__name__).error("role_cannot_start", exc_info=True)
    else:
        # What is loaded by now stays: a full collection that looks at all of it again stops every request meanwhile.
        gc.freeze()
        return composed
    raise SystemExit(1)


def compose(role: str, context: Context) -> Callable[..., Any]:
    """The application of one role."""
    if role.startswith("portal:"):
        portals = importlib.import_module("app.wiring.portals")
        made: Callable[..., Any] = portals.application(context, role.removeprefix("portal:"))
    else:
        made = importlib.import_module(f"app.wiring.{role}").application(context)
    return made
