# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that a test starts a moment later.

Below those of outgoing connections, which could take one meanwhile, and below those that cities take; by chance, for
several tests look at once.
"""

import os
import random
import socket

# A part for each worker of pytest-xdist: what one has looked at and not bound yet, no other takes.
_PART = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_RANGE = range(10_000 + 2_500 * _PART, 12_500 + 2_500 * _PART)
# Nor does it soon give one twice itself, whose server may be down just now.
_TRIED: set[int] = set()
_CHANCE = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """So many different ports on which nobody listens now."""
    if len(_TRIED) > len(_RANGE) // 2:
        _TRIED.clear()
    found: list[int] = []
    while len(_TRIED) < len(_RANGE):
        if (port := _CHANCE.choice(_RANGE)) in _TRIED:
            continue
        _TRIED.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port is free")


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
