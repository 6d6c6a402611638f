# SPDX-License-Identifier: Apache-2.0
"""Mandates that people give and end themselves, by way of sign-on, which has proved who they are.

People give for themselves, and for a company whose legal representative or manager they are; agents of a company see
who may act for it and give nothing. Whoever gave, whoever it is for and whoever holds a mandate can end it. Every verb
asks anew who somebody is and whom they represent, with the right to change held, so that nobody gives for a company
that they stopped representing a moment before.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from ..errors import BadDays, NoSuchGrant, NoSuchPerson, NotRepresenting
from ..models import Mandate, Organisation, Person
from ..models_powers import Capacity, Offer
from .giving import Giving
from .standings import Standings

LONGEST = timedelta(days=3 * 366)
"""A mandate for longer would outlive what it was given for; it is given anew."""
GIVING = frozenset({Capacity.LEGAL, Capacity.MANAGER})
REASON = "given by themselves at sign-on"
"""What the record says if the giver says nothing."""


@dataclass(frozen=True, kw_only=True)
class Company:
    """A company that somebody represents today, and who may act for it."""

    organisation: Organisation
    capacity: Capacity
    mandates: tuple[Mandate, ...]

    @property
    def may_give(self) -> bool:
        """Whether its representative gives and withdraws mandates, or only sees them."""
        return self.capacity in GIVING


@dataclass(frozen=True, kw_only=True)
class Entrusted:
    """Everything that somebody may see of mandates, and may do about them."""

    # For whom they may act, who may act for them, and the companies they represent.
    held: tuple[Mandate, ...]
    given: tuple[Mandate, ...]
    companies: tuple[Company, ...]
    offers: tuple[Offer, ...]
    latest: date


class Entrusting:
    """For one role alone, sign-on; the disabled neither give nor end anything."""

    def __init__(self, *, giving: Giving, standings: Standings) -> None:
        self._giving = giving
        self._standings = standings

    def page(self, subject: str) -> Entrusted:
        """Read it.

        Raises:
            NoSuchPerson: nobody, or disabled.
            DirectoryUnavailable: nobody could be asked.
        """
        person, today = self._enabled(subject), self._standings.today()
        held = [each for each in self._standings.mandates(person.subject) if each.until >= today]
        return Entrusted(
            held=tuple(held),
            given=tuple(self._standings.mandates_for(person.subject)),
            companies=tuple(self._companies(person, today)),
            offers=tuple(self._standings.offers()),
            latest=today + LONGEST,
        )

    def give(self, subject: str, holder: str, *, organisation: str, scope: str, until: date, reason: str = "") -> str:
        """Let somebody else act for oneself, or for a company that one represents.

        Raises:
            NoSuchPerson: one of both is nobody, or disabled.
            NotRepresenting: they do not represent this company, or not so that they could give anything.
            OwnRole: a representative does not make themselves act by mandate as well.
            BadDays: the last day is past, or too far away.
            NoSuchEntitlement, AlreadyGiven, NoReason, RecordUnavailable: as ``Giving.entrust``.
        """
        if until > self._standings.today() + LONGEST:
            raise BadDays

        def may() -> None:
            person = self._enabled(subject)
            self._enabled(holder)
            if organisation:
                self._representing(person, organisation)

        may()
        whom = Mandate(
            organisation=organisation,
            principal="" if organisation else subject,
            scope=scope,
            until=until,
            by=subject,
            reason=reason.strip() or REASON,
        )
        return self._giving.entrust(holder, whom, asked_again=may)

    def end(self, subject: str, holder: str, *, organisation: str, principal: str, scope: str) -> None:
        """Withdraw what one gave, or what was given for one's company; or decline what one holds. It ends at once.

        Raises:
            NoSuchPerson: nobody, or disabled.
            NoSuchGrant: there is no such mandate that would be theirs to end; which of both is not said.
            Pending: recorded; the server follows.
        """
        person = self._enabled(subject)
        if person.subject not in (holder.lower(), principal.lower()):
            try:
                self._representing(person, organisation)
            except NotRepresenting as error:
                raise NoSuchGrant from error
        wanted = Mandate(organisation=organisation, principal=principal, scope=scope, until=date.max)
        self._giving.withdraw_mandate(holder, wanted, actor=person.subject)

    def _companies(self, person: Person, today: date) -> list[Company]:
        found: dict[str, Company] = {}
        for each in self._standings.represented_by(person.subject):
            if not _counts(each.since, each.until, today):
                continue
            known = found.get(each.organisation)
            if known is None or not known.may_give:
                found[each.organisation] = Company(
                    organisation=self._standings.directory.organisation(each.organisation),
                    capacity=each.capacity,
                    mandates=tuple(self._standings.mandates_of_organisation(each.organisation)),
                )
        return sorted(found.values(), key=lambda company: company.organisation.name)

    def _representing(self, person: Person, organisation: str) -> None:
        today = self._standings.today()
        if not any(
            each.organisation == organisation and each.capacity in GIVING and _counts(each.since, each.until, today)
            for each in self._standings.represented_by(person.subject)
        ):
            raise NotRepresenting

    def _enabled(self, subject: str) -> Person:
        person = self._standings.directory.person(subject)
        if not person.enabled:
            raise NoSuchPerson
        return person


def _counts(since: date, until: date | None, today: date) -> bool:
    return since <= today and (until is None or until >= today)
