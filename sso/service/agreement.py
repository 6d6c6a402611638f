# SPDX-License-Identifier: Apache-2.0
"""A person says yes to an application: recorded, then remembered for a year."""

from collections.abc import Callable

from audit import Outcome
from core.clock import Clock

from ..config import SSOSettings
from ..models import Consent, Session
from ..store import Store
from .records import Records


class Agreement:
    """Keeps what was granted and what was refused."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        settings: SSOSettings,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._records = records
        self._lifetime = int(settings.consent_lifetime.total_seconds())
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def remember(
        self, session: Session, client_id: str, asked: frozenset[str], *, withheld: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Remember a yes to what was asked but for what is withheld; the scopes refused are returned.

        Raises:
            RecordUnavailable: nothing was remembered.
        """
        self._fresh()
        at = int(self._clock.now().timestamp())
        known = self._store.consents.find(session.subject, client_id)
        valid = known if known is not None and known.expires_at > at else None
        refused = (withheld & asked) - {"openid"}
        # A yes to less does not take back an earlier yes to more; a no does.
        consent = Consent(
            subject=session.subject,
            client_id=client_id,
            scopes=(asked | (valid.scopes if valid else frozenset())) - refused,
            refused=refused | ((valid.refused if valid else frozenset()) - asked),
            granted_at=at,
            expires_at=at + self._lifetime,
        )
        self._records.write(self._records.consent(consent, Outcome.INTENDED, session=session.sid))
        outcome = self._records.consent(consent, Outcome.SUCCESS, session=session.sid)
        self._store.consents.put(consent, outcome)
        self._nudge()
        return refused
