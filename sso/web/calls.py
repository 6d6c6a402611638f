# SPDX-License-Identifier: Apache-2.0
"""Requests of programs, with what they can prove: a certificate counts at the host that asks for one, nowhere else."""

from collections.abc import Callable

from flask import request

from core.calls import PairSecrets

from ..errors import BadTokenRequest
from ..models import Call
from ..service import SignOn
from .card import certificate_shown


def reader(service: SignOn, *, tls_host: str, proxy: PairSecrets) -> Callable[[], Call]:
    """What reads the request at hand."""

    def call() -> Call:
        shown = on_host(tls_host)
        return Call(
            method=request.method,
            # What was signed is compared with where we are, never with what a header says of that.
            url=f"{service.tls_origin if shown else service.issuer}{request.path}",
            authorization=request.headers.get("Authorization"),
            parameters=dict(request.form.lists()),
            unverified_certificate=(certificate_shown(proxy) or b"") if shown else b"",
            unverified_proofs=tuple(request.headers.getlist("DPoP")),
        )

    return call


def on_host(name: str) -> bool:
    """Whether this request came to a host name of its own."""
    return request.host.partition(":")[0].lower() == name


def presented_token(call: Call) -> str:
    """The one token that a request is about.

    Raises:
        BadTokenRequest: none, or several.
    """
    values = call.parameters.get("token", ())
    if len(values) != 1 or not values[0]:
        raise BadTokenRequest(field="token")
    return values[0]
