# SPDX-License-Identifier: Apache-2.0
"""By which identifier a client knows a person: one for each sector, so that no two agencies can compare notes."""

import hashlib
import hmac

from core.jose import base64url

from ..models import Client
from ..store.known import KnownRows


class Subjects:
    """Pairwise identifiers (OpenID Connect Core section 8.1); they follow from a key that must be kept for ever."""

    def __init__(self, *, key: bytes) -> None:
        self._key = hmac.digest(key, b"pairwise subjects", hashlib.sha256)

    def of(self, client: Client, subject: str) -> str:
        """The person as this client knows them; the site's own clients and machines know the directory's identifier."""
        if client.subject_type == "public" or subject == client.id:
            return subject
        told = f"{client.sector or client.id}\0{subject}".encode("utf-8", "replace")
        return base64url(hmac.digest(self._key, told, hashlib.sha256))

    def remember(self, client: Client, subject: str, known: KnownRows) -> None:
        """Have somebody found again by what a client knows them as, for whoever is told so by that client."""
        if client.subject_type != "public" and subject != client.id:
            known.put(client.sector or client.id, self.of(client, subject), subject)

    def mandate(self, client: Client, mandate: str) -> str:
        """A mandate's name as this client may know it: another person is named as the client knows people."""
        kind, _, rest = mandate.partition(":")
        if kind != "person":
            return mandate
        principal, _, service = rest.partition(":")
        return f"{kind}:{self.of(client, principal)}:{service}"
