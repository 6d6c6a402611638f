# SPDX-License-Identifier: Apache-2.0
"""Ports for a city: free ones, and promised to nobody else, although nothing may listen on them for a while.

From the choice of its ports until nginx listens a city is being born, and another may look for ports meanwhile. So each
`up` claims its ports by binding a name in Linux's abstract socket namespace (unix(7)): one holder at a time, no file,
forgotten by the kernel together with the process. Whoever takes such a name to annoy costs a city its favourite port.
"""

import secrets
import socket
from collections.abc import Sequence
from typing import Self

from core.errors import N_, Conflict
from core.site import Ports

PREFERRED = (8443, 8444, 8445, 8080, 8636, 8446)
"""Ports a city asks for first: external, internal, management, plain, directory, and the way out."""
_OTHERS = range(20000, 30000)
"""Where to look next, anywhere in it, since two cities may look at once. Below the ports that outgoing connections get
(32768 on Linux), for one of those could take the port of a server that is being restarted."""
_TRIES = 200


class PortTaken(Conflict):
    """The site's addresses name a port that somebody else holds or has been promised."""

    code = "port_taken"
    message = N_("Port %(port)s of this site is in use by another program. Stop it, or start a new site.")


class PortClaims:
    """The ports that this process means to use."""

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, port: int) -> bool:
        """Claim one; False if somebody listens there, or claimed it first."""
        if port in self._claims:
            return True
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0tallygate-port-{port}")
            with socket.socket() as probe:
                # A server that was just stopped leaves connections behind that hold nobody up.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            return False
        self._claims[port] = claim
        return True

    def take_all(self, ports: Ports) -> None:
        """Claim what a site's file names.

        Raises:
            PortTaken: names the first that cannot be had.
        """
        named = (ports.external, ports.internal, ports.management, ports.plain, ports.ldaps, ports.egress)
        for port in named:
            if port and not self.take(port):
                raise PortTaken(port=port)

    def close(self) -> None:
        """Claim nothing any more."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()


def free_ports(claims: PortClaims | None = None, *, wishes: Sequence[int] = PREFERRED) -> Ports:
    """The wished ports where they are free, others by chance where not; without ``claims`` nobody keeps them free.

    Whoever writes them down for later wishes none: every city asks for the same ones first.

    Raises:
        PortTaken: none could be found.
    """
    if claims is None:
        with PortClaims() as passing:
            return free_ports(passing, wishes=wishes)
    found: list[int] = []
    for place in range(len(PREFERRED)):
        others = secrets.SystemRandom().sample(_OTHERS, _TRIES)
        # What was found before is ours already, and would be had again.
        found.append(_first(claims, *(each for each in (*wishes[place : place + 1], *others) if each not in found)))
    external, internal, management, plain, ldaps, egress = found
    return Ports(external=external, internal=internal, management=management, plain=plain, ldaps=ldaps, egress=egress)


def _first(claims: PortClaims, *wishes: int) -> int:
    for wish in wishes:
        if claims.take(wish):
            return wish
    raise PortTaken(port=wishes[0])
