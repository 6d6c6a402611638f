# SPDX-License-Identifier: Apache-2.0
"""Letting others act: the person's own page of mandates, given and ended through the directory, which asks again.

Nobody finds people here. Whoever is to act says two things to whoever lets them: their user name, and the code that
stands on their own page today. Only both together lead to somebody; every wrong pair is answered alike, after the same
work, and few are free.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

from core.clock import Clock
from core.errors import Invalid, NotFound

from ..errors import InteractionLost, LoginTooOldToGive, NotIntroduced
from ..models import Session
from .collaborators import People
from .factors import Factors
from .limits import Limits
from .seals import Broken, Seal

_CODE = 10
_HALF = 5
# Seconds that somebody may look at what they are about to give.
_LOOKED_AT = 600
_NOBODY = "00000000-0000-0000-0000-000000000000"


class Directory(Protocol):
    """The directory's verbs about mandates that people give themselves, and its refusals."""

    def page(self, subject: str) -> Mapping[str, Any]:
        """What somebody may see of mandates."""
        ...

    def give(self, subject: str, holder: str, *, organisation: str, scope: str, until: str, reason: str) -> None:
        """Let somebody act for a person or for their company."""
        ...

    def end(self, subject: str, holder: str, *, organisation: str, principal: str, scope: str) -> None:
        """Withdraw or decline."""
        ...


@dataclass(frozen=True, kw_only=True)
class EntrustingPage:
    """Everything on the page."""

    # As the directory tells it.
    held: list[Mapping[str, Any]]
    given: list[Mapping[str, Any]]
    companies: list[Mapping[str, Any]]
    services: list[Mapping[str, Any]]
    latest: str
    # What the person says to whoever lets them act, beside the user name.
    username: str
    code: str
    # Whether this login may give anything.
    may_give: bool


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What somebody is about to give, shown to them in words before it is given."""

    # Whom they let act, and by which user name that was found.
    holder: str
    username: str
    name: str
    name_zh: str
    organisation: str
    service: str
    until: str
    reason: str
    # As it travels to the page and back.
    sealed: str = ""


class Entrusting:
    """The verbs of the page."""

    def __init__(
        self,
        *,
        people: People,
        directory: Directory,
        factors: Factors,
        limits: Limits,
        key: bytes,
        clock: Clock,
        fresh: Callable[[], None],
    ) -> None:
        self._people = people
        self._directory = directory
        self._factors = factors
        self._limits = limits
        self._key = hmac.digest(key, b"mandate codes", hashlib.sha256)
        self._seal = Seal(key, "proposal", clock=clock)
        self._clock = clock
        self._fresh = fresh

    def page(self, session: Session) -> EntrustingPage:
        """Collect it.

        Raises:
            Unavailable: the directory does not answer.
        """
        found = self._directory.page(session.subject)
        return EntrustingPage(
            held=list(found["held"]),
            given=list(found["given"]),
            companies=list(found["companies"]),
            services=list(found["services"]),
            latest=str(found["latest"]),
            username=self._people.person(session.subject).username,
            code=self._code(session.subject, 0),
            may_give=self._factors.may_change(session),
        )

    def propose(
        self, session: Session, *, username: str, code: str, organisation: str, service: str, until: str, reason: str
    ) -> Proposal:
        """What they are about to give and to whom, for them to look at; nothing is given yet.

        Raises:
            LoginTooOldToGive: see there.
            NotIntroduced: user name and code do not lead to anybody together.
            TooMany: too many of those were wrong.
        """
        if not self._factors.may_change(session):
            raise LoginTooOldToGive
        self._limits.count(mandate_code__person=session.subject)
        holder = self._people.person(self._introduced(username, code))
        # Whatever the directory says to the rest, this was no guess.
        self._limits.forgive(mandate_code__person=session.subject)
        proposal = Proposal(
            holder=holder.subject,
            username=username,
            name=holder.name,
            name_zh=holder.name_zh,
            organisation=organisation,
            service=service,
            until=until,
            reason=reason,
        )
        return replace(proposal, sealed=self._seal.close(json.dumps([session.digest, self._now(), asdict(proposal)])))

    def proposed(self, session: Session, sealed: str) -> Proposal:
        """What was shown to this very session a short while ago.

        Raises:
            InteractionLost: to another one, too long ago, or never.
        """
        try:
            shown_to, at, said = json.loads(self._seal.open(sealed))
        except Broken as error:
            raise InteractionLost from error
        if not hmac.compare_digest(shown_to, session.digest) or self._now() - at > _LOOKED_AT:
            raise InteractionLost
        return Proposal(**said)

    def give(self, session: Session, proposal: Proposal) -> None:
        """Let them act, as it was shown; recorded by the directory before it happens.

        Raises:
            LoginTooOldToGive: see there.
            TallygateError: what the directory says no to.
        """
        if not self._factors.may_change(session):
            raise LoginTooOldToGive
        self._fresh()
        self._directory.give(
            session.subject,
            proposal.holder,
            organisation=proposal.organisation,
            scope=proposal.service,
            until=proposal.until,
            reason=proposal.reason,
        )

    def end(self, session: Session, *, holder: str, organisation: str, principal: str, service: str) -> None:
        """Withdraw what one gave or declined what one holds; taking away waits for no further login.

        Raises:
            NotFound: there is no such mandate that would be theirs to end.
            TallygateError: what the directory says no to.
        """
        self._directory.end(session.subject, holder, organisation=organisation, principal=principal, scope=service)

    def _introduced(self, username: str, code: str) -> str:
        try:
            subject = self._people.person_by_username(username).subject
        except (NotFound, Invalid):
            subject = ""
        said = "".join(each for each in code.upper() if each.isalnum()).encode("ascii", "replace")
        # Today's and yesterday's are compared whoever it is, so that nothing is told by time.
        fitting = [
            hmac.compare_digest(said, self._code(subject or _NOBODY, days).replace("-", "").encode()) for days in (0, 1)
        ]
        if not (subject and any(fitting)):
            raise NotIntroduced
        return subject

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _code(self, subject: str, days_ago: int) -> str:
        day = self._clock.now().date() - timedelta(days=days_ago)
        made = hmac.digest(self._key, f"{subject}\0{day.isoformat()}".encode(), hashlib.sha256)
        text = base64.b32encode(made).decode("ascii")[:_CODE]
        return f"{text[:_HALF]}-{text[_HALF:]}"
