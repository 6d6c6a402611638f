# SPDX-License-Identifier: Apache-2.0
"""Whether a caller holds what its tokens are bound to, or shall be."""

from ..errors import BadTokenRequest, InvalidClient, InvalidToken
from ..models import Call, Client
from ..oauth.rfc6750 import bearer
from ..oauth.rfc7800 import NOBODYS, Confirmation
from ..oauth.rfc8705 import confirmed_by


class Possession:
    """Binds new tokens, and lets bound ones in only with what they are bound to."""

    def binding(self, client: Client, call: Call) -> Confirmation:
        """What the tokens of this request will be bound to.

        Raises:
            BadTokenRequest: the client's tokens must be bound, and nothing was shown to bind them to.
        """
        if "mtls" not in client.requires:
            return NOBODYS
        try:
            return confirmed_by(call.unverified_certificate)
        except InvalidClient as error:
            raise BadTokenRequest(field="certificate") from error

    def presented(self, call: Call) -> str:
        """The token of a request to a resource of ours.

        Raises:
            InvalidToken: none, or in a way that is not taken.
        """
        return bearer(call.authorization)

    def check(self, confirmation: Confirmation, call: Call) -> None:
        """Let a token in if its bearer holds what it is bound to.

        Raises:
            InvalidToken: it does not.
        """
        if not confirmation.bound:
            return
        try:
            if not confirmation.same(confirmed_by(call.unverified_certificate)):
                raise InvalidToken
        except InvalidClient as error:
            raise InvalidToken from error
