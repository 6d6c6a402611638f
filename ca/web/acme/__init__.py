# SPDX-License-Identifier: Apache-2.0
"""ACME over HTTP (RFC 8555): requests are signed by the client's own key, answers are what the protocol names."""

from flask import Blueprint

from core.web import Guard

from ...acme import Acme
from .accounts import accounts
from .certificates import certificates
from .facts import facts
from .orders import orders


def acme(service: Acme, guard: Guard) -> list[Blueprint]:
    """All endpoints."""
    return [each(service, guard) for each in (facts, accounts, orders, certificates)]
