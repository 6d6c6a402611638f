# SPDX-License-Identifier: Apache-2.0
"""An officer lets one future account act for a device or organisation of the directory, for names written down here.

The key that binds the account is made from the grant's identifier and the role's own key: it is shown once, and nothing
that is stored gives it away.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable

from audit import Outcome, Recorder, Wait
from core.clock import Clock
from core.errors import N_

from ..config import AcmeSettings
from ..errors import GrantRefused, NoSuchGrant, SubjectDisabled
from ..service import DirectorySource
from .jws import b64url
from .models import Grant, GrantState, Holder
from .names import read_rule
from .notes import about_grant, note, outcome_of
from .store import Store

MOST_NAMES = 100
LONGEST_NAME = 253


class Grants:
    """Makes, lists and withdraws them."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        settings: AcmeSettings,
        directory: DirectorySource,
        key: bytes,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._directory = directory
        self._key = key
        self._nudge = nudge

    def make(self, *, holder: Holder, subject: str, names: list[str], officer: str) -> tuple[Grant, str]:
        """A new grant, and its key in base64url, which is never shown again.

        Raises:
            GrantRefused: no names, or none that a certificate could carry.
            SubjectDisabled: the device is disabled.
            NotFound: the directory does not know the subject.
            RecordUnavailable: nothing was granted.
        """
        self.check_subject(holder, subject)
        at = self._clock.now()
        grant = Grant(
            kid=self._kid(),
            holder=holder,
            subject=subject,
            names=_rules(names),
            officer=officer,
            created=at,
            expires=at + self._settings.grant_lifetime,
            state=GrantState.OPEN,
        )
        intent = about_grant("ca.acme.grant.made", Outcome.INTENDED, grant, at=at, actor=officer)
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        self._store.accounts.grant(grant, outcome_of(intent))
        self._nudge()
        return grant, b64url(self.secret(grant.kid))

    def check_subject(self, holder: Holder, subject: str) -> None:
        """Whether the directory knows whom an account acts for.

        Raises:
            SubjectDisabled: the device is disabled.
            NotFound: it does not.
        """
        if holder is Holder.ORGANISATION:
            self._directory.organisation(subject)
        elif not self._directory.device(subject).enabled:
            raise SubjectDisabled

    def grants(self, *, before: str = "") -> list[Grant]:
        """The newest; 50 of them."""
        return self._store.accounts.grants(before=before)

    def withdraw(self, kid: str, *, officer: str) -> None:
        """End a grant, with the account that was bound by it and all it has under way; its certificates stay.

        Raises:
            NoSuchGrant: there is none, or it is withdrawn.
        """
        grant = self._store.accounts.granted(kid)
        if grant is None:
            raise NoSuchGrant
        event = about_grant("ca.acme.grant.withdrawn", Outcome.SUCCESS, grant, at=self._clock.now(), actor=officer)
        if not self._store.accounts.withdraw_grant(kid, note(event)):
            raise NoSuchGrant
        self._nudge()

    def _kid(self) -> str:
        """A new identifier, whose key can stand in a command line: no client takes it for an option."""
        while True:
            kid = secrets.token_hex(12)
            if not b64url(self.secret(kid)).startswith("-"):
                return kid

    def secret(self, kid: str) -> bytes:
        """The key of a grant."""
        return hmac.new(self._key, b"grant" + kid.encode(), hashlib.sha256).digest()


def _rules(names: list[str]) -> tuple[str, ...]:
    if not 1 <= len(names) <= MOST_NAMES or any(len(each) > LONGEST_NAME for each in names):
        raise GrantRefused(why=N_("name at least one host, and at most a hundred"))
    try:
        return tuple(dict.fromkeys(read_rule(each) for each in names))
    except ValueError as error:
        raise GrantRefused(why=N_("a line is no host name, address or network")) from error
