# SPDX-License-Identifier: Apache-2.0
"""An officer lets one device of the directory enrol at one label, and gets a name and a secret to hand over.

The secret is 32 random bytes made here: no person's password, nothing to guess, so that a slow hash would only make
strangers' attempts costly for us. What is stored is its HMAC under the role's own key; it is shown once.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

from audit import Outcome, Recorder, Wait
from core.clock import Clock
from core.errors import N_

from ..config import EstSettings
from ..errors import EnrolmentRefused, NoSuchEnrolment, SubjectDisabled
from ..service import DirectorySource
from ..x509 import Hosts, Profile
from .models import Enrolment, EnrolmentStanding, EnrolmentState
from .notes import about_enrolment, note, outcome_of
from .store import Store

MOST_HOSTS = 100
LONGEST_HOST = 253


class Enrolments:
    """Makes, lists, withdraws and recognises them."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        settings: EstSettings,
        profiles: Mapping[str, Profile],
        directory: DirectorySource,
        key: bytes,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._profiles = profiles
        self._directory = directory
        self._key = key
        self._nudge = nudge

    def make(self, *, device: str, label: str, hosts: list[str], uses: int, officer: str) -> tuple[Enrolment, str]:
        """A new enrolment, and its secret, which is never shown again.

        Raises:
            EnrolmentRefused: no such label or number, or hosts where there are none to be or none where there are.
            SubjectDisabled: the device is disabled.
            NotFound: the directory does not know the device.
            RecordUnavailable: nothing was granted.
        """
        if label not in self._profiles:
            raise EnrolmentRefused(why=N_("choose what the device gets"))
        if not 1 <= uses <= self._settings.most_uses:
            raise EnrolmentRefused(why=N_("the number of certificates is out of range"))
        needed = self._profiles[label].hosts is Hosts.REQUIRED
        if needed != bool(hosts) or len(hosts) > MOST_HOSTS or any(len(each) > LONGEST_HOST for each in hosts):
            raise EnrolmentRefused(why=N_("a server needs host names, everything else has none"))
        if not self._directory.device(device).enabled:
            raise SubjectDisabled
        at = self._clock.now()
        secret, identifier = secrets.token_urlsafe(32), secrets.token_hex(12)
        enrolment = Enrolment(
            id=identifier,
            device=device,
            label=label,
            hosts=tuple(dict.fromkeys(each.lower() for each in hosts)),
            officer=officer,
            created=at,
            expires=at + self._settings.enrolment_lifetime,
            uses=uses,
            used=0,
            state=EnrolmentState.OPEN,
            digest=self._digest(identifier, secret),
        )
        intent = about_enrolment("ca.est.enrolment.made", Outcome.INTENDED, enrolment, at=at, actor=officer)
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        self._store.add(enrolment, outcome_of(intent))
        self._nudge()
        return enrolment, secret

    def enrolments(self, *, before: str = "") -> list[Enrolment]:
        """The newest; 50 of them."""
        return self._store.enrolments(before=before)

    def standing(self, enrolment: Enrolment) -> EnrolmentStanding:
        """What one is good for now."""
        return enrolment.standing(self._clock.now())

    def withdraw(self, identifier: str, *, officer: str) -> None:
        """End one; certificates made by it stay.

        Raises:
            NoSuchEnrolment: there is none, or it is withdrawn.
        """
        found = self._store.enrolment(identifier)
        if found is None:
            raise NoSuchEnrolment
        at = self._clock.now()
        said = about_enrolment("ca.est.enrolment.withdrawn", Outcome.SUCCESS, found, at=at, actor=officer)
        if not self._store.withdraw(identifier, note(said)):
            raise NoSuchEnrolment
        self._nudge()

    def known(self, identifier: str, secret: str, *, at: datetime) -> Enrolment | None:
        """The enrolment whose secret this is, if it can be used now."""
        found = self._store.enrolment(identifier)
        # Compared also if there is none, so that the answer takes as long.
        right = hmac.compare_digest(found.digest if found else "", self._digest(identifier, secret))
        if found is None or not right or found.standing(at) is not EnrolmentStanding.OPEN:
            return None
        return found

    def _digest(self, identifier: str, secret: str) -> str:
        return hmac.new(self._key, f"est {identifier} {secret}".encode(), hashlib.sha256).hexdigest()
