# SPDX-License-Identifier: Apache-2.0
"""What an authority is asked (RFC 3161 section 2.4.1): the hash of a checkpoint's text, under a number used once."""

import hashlib
from dataclasses import dataclass

from asn1crypto import algos, tsp

SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request."""

    imprint: bytes
    nonce: int
    # Object identifier of the policy under which it should be stamped; empty for the authority's own choice.
    policy: str = ""

    @classmethod
    def about(cls, text: str, *, nonce: int, policy: str = "") -> "Question":
        """Ask about the text of a checkpoint."""
        return cls(imprint=hashlib.sha256(text.encode()).digest(), nonce=nonce, policy=policy)

    def encode(self) -> bytes:
        """As DER; the authority's certificates are wanted in the answer."""
        algorithm = algos.DigestAlgorithm({"algorithm": "sha256"})
        fields = {
            "version": 1,
            "message_imprint": {"hash_algorithm": algorithm, "hashed_message": self.imprint},
            "nonce": self.nonce,
            "cert_req": True,
        }
        if self.policy:
            fields["req_policy"] = self.policy
        encoded: bytes = tsp.TimeStampReq(fields).dump()
        return encoded
