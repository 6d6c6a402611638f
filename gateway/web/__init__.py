# SPDX-License-Identifier: Apache-2.0
"""HTTP to the gateway's verbs and back: nginx's question over bare WSGI, the pages over Flask, side by side."""

from collections.abc import Callable, Iterable
from typing import Any

from .asking import Asking as Asking
from .authzen import authzen as authzen
from .blueprint import blueprint as blueprint
from .decide import PREFIX as PREFIX
from .decide import WSGIApp as WSGIApp
from .decide import decide_application as decide_application
from .egress import Door as Door
from .egress import door_context as door_context
from .resources import told as told
from .served import Served as Served
from .sockets import Keeper as Keeper


def mounted(decide: WSGIApp, pages: WSGIApp) -> WSGIApp:
    """One application: questions to the one, everything else to the other."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chosen = decide if environ["PATH_INFO"].startswith(PREFIX) else pages
        return chosen(environ, start_response)

    return application
