# SPDX-License-Identifier: Apache-2.0
"""Saying whose record is about to be shown, before it is shown: no receipt of the log, no record.

The sign-on takes the word of a portal only with the gateway's signed header of this very visit.
"""

import threading
from pathlib import Path

import requests

from core.errors import Unavailable
from core.identity import Identity

from ..errors import RecordNotOpened

_TIMEOUT = 10
_TAKEN, _REFUSED = 201, 400


class Declarations:
    """One portal's way to ``POST /accesses``."""

    def __init__(self, *, issuer: str, client: str, secret: str, roots: Path) -> None:
        self._address = f"{issuer}/accesses"
        self._proof = (client, secret)
        self._roots = str(roots)
        # requests shares no session between threads.
        self._own = threading.local()

    def declare(self, identity: Identity, *, header: str, subject: str, purpose: str) -> int:
        """Have the log know it; the number of its entry.

        Raises:
            RecordNotOpened: this visitor may not be shown that record, or no longer.
            Unavailable: there is no receipt.
        """
        form = {"decision": identity.decision, "subject": subject, "purpose": purpose, "identity": header}
        try:
            answer = self._session().post(self._address, data=form, timeout=_TIMEOUT, allow_redirects=False)
            if answer.status_code == _REFUSED:
                raise RecordNotOpened
            if answer.status_code != _TAKEN:
                raise Unavailable
            return int(answer.json()["index"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Every failure of the connection, of TLS and of reading the root is an OSError.
            raise Unavailable from error

    def _session(self) -> requests.Session:
        found: requests.Session | None = getattr(self._own, "session", None)
        if found is None:
            found = requests.Session()
            # Otherwise REQUESTS_CA_BUNDLE or a proxy of the environment would replace the trust given here.
            found.trust_env = False
            found.verify, found.auth = self._roots, self._proof
            self._own.session = found
        return found


def principal(identity: Identity) -> str:
    """Whose business a visit is: whom the visitor acts for, or the visitor."""
    if not identity.on_behalf_of:
        return identity.subject
    return identity.on_behalf_of.split(":")[1]


def purpose(identity: Identity) -> str:
    """What somebody's record is shown for here."""
    return "representation" if identity.on_behalf_of else "self-service"
