# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that a test starts a moment later.

Below those of outgoing connections, which could take one meanwhile, and below those that cities take; by chance, for
several tests look at once.
"""

import random
import socket

_RANGE = range(10_000, 20_000)
_CHANCE = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """So many different ports on which nobody listens now."""
    tried: set[int] = set()
    found: list[int] = []
    while len(tried) < len(_RANGE):
        if (port := _CHANCE.choice(_RANGE)) in tried:
            continue
        tried.add(port)
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
