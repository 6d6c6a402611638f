# SPDX-License-Identifier: Apache-2.0
"""What an open connection hangs on, told by whoever decided to whoever keeps it open, sealed by a key of the role's.

It travels through nginx beside the answer of yes and is worth something for seconds and for one connection.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import jwt

from ..errors import TokenRefused

_LIFETIME = timedelta(seconds=15)
_TYPE = "tallygate-ties+jwt"


@dataclass(frozen=True, kw_only=True)
class Ties:
    """One connection that was allowed, and everything that ends it."""

    decision: str
    subject: str
    session: str
    organisation: str
    resource: str
    host: str
    zone: str
    # Role that answers it, and the name of its socket.
    role: str
    live: str
    # Kinds and names of what it hangs on (``gateway.store.Kind``).
    names: tuple[tuple[str, str], ...]
    # Seconds since 1970 after which it is over by itself; 0 if it does not say.
    until: int
    # How far whoever decided had heard the record when it began to: what came later is not in the decision.
    heard: int = 0


class Sealing:
    """Both sides: each worker of the role has the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, ties: Ties, *, at: datetime) -> str:
        """For the header."""
        claims = {**asdict(ties), "exp": int((at + _LIFETIME).timestamp())}
        return jwt.encode(claims, self._key, algorithm="HS256", headers={"typ": _TYPE})

    def opened(self, unverified: str, *, at: datetime) -> Ties:
        """What was sealed.

        Raises:
            TokenRefused: by somebody else, too long ago, or not at all.
        """
        try:
            token = jwt.decode_complete(
                unverified, self._key, algorithms=["HS256"], options={"require": ["exp"], "verify_exp": False}
            )
            claims = token["payload"]
            late = at.timestamp() > claims.pop("exp")
            names = tuple((str(kind), str(name)) for kind, name in claims.pop("names"))
            ties = Ties(names=names, **claims)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise TokenRefused from error
        if late or token["header"].get("typ") != _TYPE:
            raise TokenRefused
        return ties
