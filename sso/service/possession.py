# SPDX-License-Identifier: Apache-2.0
"""Whether a caller holds what its tokens are bound to, or shall be."""

from core.clock import Clock

from ..errors import (
    BadTokenRequest,
    InvalidClient,
    InvalidProof,
    InvalidToken,
    ProofNonceNeeded,
    ProofRefused,
    TokenProofNonceNeeded,
)
from ..models import Call, Client
from ..oauth.rfc7515 import Unverified
from ..oauth.rfc7800 import NOBODYS, Confirmation
from ..oauth.rfc8705 import confirmed_by
from ..oauth.rfc9449 import Asked, Proof, presented, proof_of
from ..store import Store
from .nonces import Nonces


class Possession:
    """Binds new tokens, and lets bound ones in only with what they are bound to."""

    def __init__(self, *, store: Store, nonces: Nonces, clock: Clock) -> None:
        self._store = store
        self._nonces = nonces
        self._clock = clock

    def binding(self, client: Client, call: Call) -> Confirmation:
        """What the tokens of this request will be bound to.

        Raises:
            BadTokenRequest: the client's tokens must be bound to its certificate, and it showed none.
            InvalidProof: they must be bound to a key, or might be, and the proof does not count.
            ProofNonceNeeded: the proof is right but for our nonce.
        """
        if "mtls" in client.requires:
            try:
                return confirmed_by(call.unverified_certificate)
            except InvalidClient as error:
                raise BadTokenRequest(field="certificate") from error
        return Confirmation(jkt=self.key(client, call))

    def key(self, client: Client, call: Call) -> str:
        """The thumbprint of the key that a request proves; empty if it brings no proof and needs none.

        Raises: as ``binding``.
        """
        if not call.unverified_proofs and "dpop" not in client.requires:
            return NOBODYS.jkt
        try:
            proof = self._proof(call, token="")
        except Unverified as error:
            raise InvalidProof from error
        if not self._nonces.counts(proof.nonce):
            raise ProofNonceNeeded
        if not self._store.proofs.consume(proof.identifier, proof.expires_at):
            raise InvalidProof
        return proof.jkt

    def presented(self, call: Call) -> str:
        """The token of a request to a resource of ours.

        Raises:
            InvalidToken: none, or in a way that is not taken.
        """
        return presented(call.authorization)[1]

    def check(self, confirmation: Confirmation, call: Call) -> None:
        """Let a token in if its bearer holds what it is bound to, and presents it so.

        Raises:
            InvalidToken: it does not.
            ProofRefused, TokenProofNonceNeeded: it may, and its proof does not count, or not yet.
        """
        scheme, token = presented(call.authorization)
        if scheme != confirmation.token_type.lower():
            raise InvalidToken
        if confirmation.x5t:
            self._check_certificate(confirmation, call)
        elif confirmation.jkt:
            self._check_proof(confirmation, call, token)

    def _check_certificate(self, confirmation: Confirmation, call: Call) -> None:
        try:
            if not confirmation.same(confirmed_by(call.unverified_certificate)):
                raise InvalidToken
        except InvalidClient as error:
            raise InvalidToken from error

    def _check_proof(self, confirmation: Confirmation, call: Call, token: str) -> None:
        try:
            proof = self._proof(call, token=token)
        except Unverified as error:
            raise ProofRefused from error
        if not confirmation.same(Confirmation(jkt=proof.jkt)):
            raise InvalidToken
        if not self._nonces.counts(proof.nonce):
            raise TokenProofNonceNeeded
        if not self._store.proofs.consume(proof.identifier, proof.expires_at):
            raise ProofRefused

    def _proof(self, call: Call, *, token: str) -> Proof:
        if len(call.unverified_proofs) != 1:
            raise Unverified
        at = int(self._clock.now().timestamp())
        return proof_of(call.unverified_proofs[0], Asked(method=call.method, url=call.url, at=at, token=token))
