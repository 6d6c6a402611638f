# SPDX-License-Identifier: Apache-2.0
"""One look at one challenge."""

from collections.abc import Collection, Sequence

from ...config import AcmeSettings
from ..models import Authorization, Challenge, Method
from ..problems import Problem, Type
from . import dns01, http01, tlsalpn01
from .network import Deadline, Network, key_authorization


class Prover:
    """Looks where the challenge points, within the site's limits."""

    def __init__(self, settings: AcmeSettings) -> None:
        self._settings = settings
        self._network = Network(networks=settings.networks, resolver=settings.resolver)

    def look(
        self, authorization: Authorization, challenge: Challenge, *, thumbprint: str, accounts: Collection[str]
    ) -> None:
        """Return if control is shown; ``accounts`` are the account's addresses, for CAA records that name one.

        Raises:
            Problem: it is not, and why.
        """
        deadline = Deadline(self._settings.validation_timeout.total_seconds())
        expected = key_authorization(challenge.token, thumbprint)
        identifier = authorization.identifier
        try:
            if challenge.method is Method.HTTP:
                port = self._settings.http_port
                http01.look(
                    self._network, identifier, port=port, token=challenge.token, expected=expected, deadline=deadline
                )
            elif challenge.method is Method.TLS:
                port = self._settings.tls_port
                tlsalpn01.look(self._network, identifier, port=port, expected=expected, deadline=deadline)
            else:
                dns01.look(self._network, identifier, expected=expected, deadline=deadline)
            self._permitted(authorization, challenge, accounts, deadline)
        except TimeoutError as error:
            raise Problem(Type.CONNECTION, "validation took too long") from error

    def permitted(self, shown: Sequence[tuple[Authorization, Challenge]], *, accounts: Collection[str]) -> None:
        """Return if CAA records still let us certify all of this, each by the challenge that showed it.

        Raises:
            Problem: they do not, or cannot be looked up in the time of one look.
        """
        deadline = Deadline(self._settings.validation_timeout.total_seconds())
        try:
            for authorization, challenge in shown:
                self._permitted(authorization, challenge, accounts, deadline)
        except TimeoutError as error:
            raise Problem(Type.CONNECTION, "looking up CAA records took too long") from error

    def _permitted(
        self, authorization: Authorization, challenge: Challenge, accounts: Collection[str], deadline: Deadline
    ) -> None:
        dns01.check_caa(
            self._network,
            authorization.identifier,
            wildcard=authorization.wildcard,
            identities=self._settings.caa_identities,
            method=challenge.method,
            accounts=accounts,
            deadline=deadline,
        )
