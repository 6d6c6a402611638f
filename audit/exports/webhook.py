# SPDX-License-Identifier: Apache-2.0
"""Batches of entries to a receiver over HTTPS: the site's way of doing that, with the errors of exports."""

import base64
import ssl
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.calls import HookFailed, HookForbidden, HookUntrusted, by_key, by_secret
from core.calls import Webhook as Hook

from ..config import Signing
from .errors import PeerForbidden, PeerSilent, PeerUntrusted

_SIGNERS = {Signing.HMAC: by_secret, Signing.ED25519: by_key}


class Webhook:
    """One receiver."""

    def __init__(
        self, url: str, *, secret: bytes, signing: Signing, context: ssl.SSLContext, private: bool = False
    ) -> None:
        """``private`` allows addresses that are not public."""
        self._hook = Hook(url, sign=_SIGNERS[signing](secret), context=context, private=private)

    def post(self, body: bytes, *, identifier: str, at: datetime) -> None:
        """Hand over one batch; it has arrived when this returns.

        Raises:
            PeerSilent: no answer, or one that is not of success; ``wait`` says for how long the receiver asked.
            PeerUntrusted: its certificate is not one the settings trust.
            PeerForbidden: its address is not public.
        """
        try:
            self._hook.post(body, identifier=identifier, at=at)
        except HookUntrusted as error:
            raise PeerUntrusted(why=error.why) from error
        except HookForbidden as error:
            raise PeerForbidden(why=error.why) from error
        except HookFailed as error:
            raise PeerSilent(why=error.why, wait=error.wait) from error


def receivers_key(secret: bytes, signing: Signing) -> str:
    """What the receiver needs, as Standard Webhooks write it: the secret itself, or the public key."""
    if signing is Signing.ED25519:
        public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        return "whpk_" + base64.b64encode(public).decode()
    return "whsec_" + base64.b64encode(secret).decode()
