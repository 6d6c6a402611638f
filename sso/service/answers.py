# SPDX-License-Identifier: Apache-2.0
"""Answers to clients by way of the browser; signed where the client asked for that, whatever they say."""

from dataclasses import replace

from core.clock import Clock

from ..errors import Redirectable
from ..models import AuthorizationRequest, Redirection
from ..oauth.jarm import TYP, answer_claims
from ..oauth.rfc6749 import Draft
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc9207 import answered, refused


class Answers:
    """Every answer of the authorization endpoint is made here."""

    def __init__(self, *, issuer: str, keys: KeyRing, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    def good(self, request: AuthorizationRequest, *, code: str) -> Redirection:
        """A code."""
        return self._signed(answered(self._issuer, request, code=code), request.client_id)

    def bad(self, error: Redirectable, asked: AuthorizationRequest | Draft) -> Redirection:
        """An error."""
        client_id = asked.client_id if isinstance(asked, AuthorizationRequest) else asked.client.id
        plain = refused(self._issuer, error, redirect_uri=asked.redirect_uri, state=asked.state, mode=asked.mode)
        return self._signed(plain, client_id)

    def _signed(self, plain: Redirection, client_id: str) -> Redirection:
        if plain.mode not in ("query.jwt", "form_post.jwt"):
            return plain
        at = int(self._clock.now().timestamp())
        claims = answer_claims(plain.parameters, issuer=self._issuer, client_id=client_id, at=at)
        return replace(
            plain,
            parameters={"response": self._keys.sign(claims, typ=TYP)},
            mode="query" if plain.mode == "query.jwt" else "form_post",
        )
