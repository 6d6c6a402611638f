# SPDX-License-Identifier: Apache-2.0
"""Who is calling: a role name and the secret that only it and we know."""

import base64
import binascii
import hmac
from collections.abc import Mapping

from ..errors import Unauthenticated

CALLER_HEADER = "Tallygate-Caller"
SECRET_HEADER = "Tallygate-Secret"  # noqa: S105 - the name of a header


class PairSecrets:
    """The callee's side: the secrets of all who may call it."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._secrets = dict(secrets)

    def caller(self, name: str | None, secret: str | None) -> str:
        """Return the verified role name.

        Raises:
            Unauthenticated: unknown caller or wrong secret; which of both is not said.
        """
        known = self._secrets.get(name or "")
        try:
            given = base64.b64decode(secret or "", validate=True)
        except (binascii.Error, ValueError):
            given = b""
        # An unknown caller costs the same comparison as a known one with a wrong secret.
        if not hmac.compare_digest(known if known is not None else b"\0" * 32, given) or known is None:
            raise Unauthenticated
        return name or ""
