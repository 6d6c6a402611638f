# SPDX-License-Identifier: Apache-2.0
"""What the record says of a document instead of its content."""

import hashlib
import hmac


class Commitments:
    """A keyed commitment: who has the document and asks us can be told that it is meant; nobody else can guess it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, document: bytes) -> str:
        """HMAC-SHA-256 over the document's SHA-256, 64 hexadecimal digits."""
        return self.of_digest(hashlib.sha256(document).digest())

    def of_digest(self, digest: bytes) -> str:
        """The same, where only the document's SHA-256 is at hand."""
        return hmac.new(self._key, digest, hashlib.sha256).hexdigest()
