# SPDX-License-Identifier: Apache-2.0
"""Pushed requests: the client brings them itself, authenticated; its browser carries a number and nothing else."""

import json
import re
from collections.abc import Mapping, Sequence

from ...errors import BadTokenRequest

URN = "urn:ietf:params:oauth:request_uri:"
_NUMBER = re.compile(r"[A-Za-z0-9_-]{43}")
# What proves the client is no part of its request (section 2.1).
_PROOFS = frozenset({"client_assertion", "client_assertion_type", "client_secret"})
_LONGEST = 8000

Parameters = Mapping[str, Sequence[str]]


def pushable(parameters: Parameters) -> Parameters:
    """The request in what was pushed.

    Raises:
        BadTokenRequest: it refers to another, or is too long to be kept.
    """
    if "request_uri" in parameters:
        raise BadTokenRequest(field="request_uri")
    asked = {name: [*values] for name, values in parameters.items() if name not in _PROOFS}
    if len(json.dumps(asked)) > _LONGEST:
        raise BadTokenRequest(field="?")
    return asked


def number_of(request_uri: str) -> str:
    """The number in the address of a pushed request; empty if it is none of ours."""
    number = request_uri.removeprefix(URN)
    return number if request_uri.startswith(URN) and _NUMBER.fullmatch(number) else ""


def kept(parameters: Parameters, *, signed: bool) -> str:
    """As it is kept until its browser comes; ``signed``: it came in a request object that was verified."""
    return json.dumps({"parameters": {name: [*values] for name, values in parameters.items()}, "signed": signed})


def found(text: str) -> tuple[Parameters, bool]:
    """And back."""
    values = json.loads(text)
    return values["parameters"], values["signed"]
