# SPDX-License-Identifier: Apache-2.0
"""Nonces: made without a trace, used once for good.

A nonce says when it was made and carries a code of ours, so that asking for a million costs no storage; a used one is
remembered on disk for as long as it could be taken, so that neither a restart nor a second process takes it again.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from core.clock import Clock

from .jws import b64url, unb64url
from .problems import Problem, Type
from .store import Store

_MOMENT, _RANDOM, _CODE = 8, 16, 16


class Nonces:
    """Makes and uses them; ``key`` is the role's own."""

    def __init__(self, *, store: Store, clock: Clock, key: bytes, lifetime: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._lifetime = lifetime

    def make(self) -> str:
        """A fresh one."""
        made = int(self._clock.now().timestamp()).to_bytes(_MOMENT, "big") + secrets.token_bytes(_RANDOM)
        return b64url(made + self._code(made))

    def check(self, unverified: str) -> None:
        """Whether it is ours and fresh; not yet whether it was used.

        Raises:
            Problem: it is not.
        """
        self._until(unverified)

    def use(self, unverified: str) -> None:
        """Use it.

        Raises:
            Problem: not ours, too old or used before.
        """
        if not self._store.marks.use(unverified, until=self._until(unverified)):
            raise Problem(Type.BAD_NONCE, "this nonce was used before")

    def _until(self, unverified: str) -> datetime:
        try:
            content = unb64url(unverified, "a nonce")
        except Problem as error:
            raise Problem(Type.BAD_NONCE, "this nonce is not of this server") from error
        made, code = content[:-_CODE], content[-_CODE:]
        if len(made) != _MOMENT + _RANDOM or not hmac.compare_digest(code, self._code(made)):
            raise Problem(Type.BAD_NONCE, "this nonce is not of this server")
        now = self._clock.now()
        until = datetime.fromtimestamp(int.from_bytes(made[:_MOMENT], "big"), now.tzinfo) + self._lifetime
        # A clock that was set back makes nonces of the future; they would be remembered for too short a time.
        if not now < until <= now + self._lifetime + timedelta(seconds=1):
            raise Problem(Type.BAD_NONCE, "this nonce is too old")
        return until

    def _code(self, made: bytes) -> bytes:
        return hmac.new(self._key, b"nonce" + made, hashlib.sha256).digest()[:_CODE]
