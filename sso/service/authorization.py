# SPDX-License-Identifier: Apache-2.0
"""The authorization endpoint: check the request, park it while a person is needed, issue exactly one code."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from audit import Outcome
from core.clock import Clock

from ..config import SSOSettings
from ..errors import (
    AccessDenied,
    BadRequest,
    InteractionLost,
    LoginRequired,
    MandateOver,
    Redirectable,
    UnmetAuthentication,
)
from ..models import (
    SELF,
    AuthorizationRequest,
    Client,
    Code,
    Grant,
    HeldMandate,
    Interaction,
    Redirection,
    Session,
)
from ..oauth.openid import Step, asked_about, next_step, unattended, without
from ..oauth.rfc6749 import host_of, is_registered, origin_of
from ..oauth.rfc6749.authorization import Parameters
from ..oauth.rfc9396 import confirmed, signs
from ..oauth.rfc9396.signing import By
from ..store import Store, digest
from .admission import Admission, as_sure_as_now
from .agreement import Agreement
from .answers import Answers
from .collaborators import Person
from .mandates import Mandates
from .parking import Parking
from .records import Records
from .requests import Requests
from .subjects import Subjects


@dataclass(frozen=True, kw_only=True)
class Parked:
    """A page is needed before the request can go on; ``step`` says which."""

    # As it travels with the browser.
    sealed: str
    step: Step
    # How surely somebody has to log in, if that is what is missing; 0 if it does not matter.
    level: int = 0
    # The language that the client asked for; empty if it did not.
    locale: str = ""


@dataclass(frozen=True, kw_only=True)
class Home:
    """A page of "My account"; empty is the first."""

    page: str = ""


class Authorization:
    """Requests, from their arrival to their answer."""

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        answers: Answers,
        records: Records,
        parking: Parking,
        admission: Admission,
        agreement: Agreement,
        mandates: Mandates,
        subjects: Subjects,
        settings: SSOSettings,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._store = store
        self._admission = admission
        self._agreement = agreement
        self._subjects = subjects
        self._records = records
        self._parking = parking
        self._mandates = mandates
        self._settings = settings
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def begin(self, parameters: Parameters, *, session: Session | None, browser: str) -> Redirection | Parked:
        """Take a request.

        Raises:
            BadRequest: client or return address are not certain; nothing is redirected.
            Unavailable: a code was due and could not be recorded.
        """
        draft = self._requests.draft(parameters)
        try:
            request = self._requests.validated(draft)
            if draft.client.test:
                raise AccessDenied(why="nobody real logs in at a client for tests")
            person, session = self._today(session)
            step, level = self._step(request, draft.client, person, session=session, interaction=None)
            if step is Step.ISSUE and session is not None:
                return self._issue(request, draft.client, session, person, None)
            if "none" in request.prompts:
                raise unattended(step)
            interaction = self._parking.begin(request, browser=browser, session=session)
        except Redirectable as error:
            return self._answers.bad(error, draft)
        return replace(self._parked(interaction, step, level), locale=request.locale)

    def enter(self, *, browser: str, session: Session | None = None, page: str = "") -> Parked:
        """Somebody wants to see "My account", or a page of it that asks for a login of this very moment."""
        return self._parked(self._parking.begin(None, browser=browser, session=session, page=page), Step.LOGIN)

    def account(self, *, browser: str, session: Session) -> Interaction:
        """A way back to "My account" for whoever is led away from it."""
        return self._parking.begin(None, browser=browser, session=session, page="factors")

    def interaction(self, sealed: str, *, browser: str) -> Interaction:
        """A parked request, in the browser that began it.

        Raises:
            InteractionLost: answered, over, or another browser's.
        """
        found = self._parking.opened(sealed, browser=browser)
        if self._store.interactions.spent(found.id):
            raise InteractionLost
        return found

    def sealed(self, interaction: Interaction) -> str:
        """A parked request as it travels with its browser."""
        return self._parking.sealed(interaction)

    def client(self, interaction: Interaction) -> Client | None:
        """Who asked; None for "My account".

        Raises:
            BadRequest: the client was removed meanwhile.
        """
        if interaction.request is None:
            return None
        client = self._store.clients.find(interaction.request.client_id)
        if client is None or not is_registered(interaction.request.redirect_uri, client.redirect_uris):
            raise BadRequest(why="client_id")
        return client

    def destination(self, interaction: Interaction) -> Client | str | None:
        """Where the person is going: an application, a host behind the gateway, or None for "My account"."""
        client = self.client(interaction)
        if client is None or interaction.request is None or not client.trusted:
            return client
        host = host_of(interaction.request.redirect_uri)
        return self._store.clients.at_host(host) or host

    def form_targets(self, interaction: Interaction) -> tuple[str, ...]:
        """Origins a form of this interaction may lead to."""
        return (origin_of(interaction.request.redirect_uri),) if interaction.request else ()

    def proceed(
        self, interaction: Interaction, *, session: Session | None, decided: bool = False
    ) -> Redirection | Parked | Home:
        """Go on after a page. ``decided``: the policies have just let this login in here.

        Raises:
            InteractionLost: another tab was faster.
            Unavailable: a code was due and could not be recorded.
        """
        request, client = interaction.request, self.client(interaction)
        if request is None or client is None:
            if session is None or (interaction.page and not interaction.logged_in(session)):
                return self._parked(interaction, Step.LOGIN)
            return Home(page=interaction.page)
        try:
            person, session = self._today(session)
            step, level = self._step(request, client, person, session=session, interaction=interaction, decided=decided)
            if step is Step.ISSUE and session is not None:
                return self._issue(request, client, session, person, interaction)
            if step is Step.OTHER:
                raise LoginRequired(why="somebody else is logged in")
            if step is Step.UNREACHABLE:
                raise UnmetAuthentication(why="acr_values")
        except Redirectable as error:
            return self._turn_away(interaction, request, error)
        return self._parked(interaction, step, level)

    def choices(self, interaction: Interaction, session: Session) -> list[HeldMandate]:
        """For whom this session's person may act at the client that asks."""
        client, request = self.client(interaction), interaction.request
        if client is None or request is None:
            return []
        return self._mandates.usable(session.subject, self._mandates.service(client, host_of(request.redirect_uri)))

    def choose(self, interaction: Interaction, acting: str, *, session: Session) -> Interaction:
        """The person says for whom they act; returned is the request as it goes on.

        Raises:
            MandateOver: they may not act for whom they chose.
        """
        if acting != SELF and acting not in {each.key for each in self.choices(interaction, session)}:
            raise MandateOver
        # Whoever agreed before they chose agreed to something else.
        return replace(interaction, acting=acting, acting_as=session.digest, agreed_as="")

    def acting_for(self, interaction: Interaction, session: Session) -> HeldMandate | None:
        """For whom the person chose to act; None for themselves."""
        client, request = self.client(interaction), interaction.request
        chosen = self._chosen(request, client, session, interaction) if client and request else ""
        return next((each for each in self.choices(interaction, session) if each.key == chosen), None)

    def agree(
        self, interaction: Interaction, *, session: Session, withheld: frozenset[str] = frozenset()
    ) -> Interaction:
        """The person says yes: recorded, then remembered, then in force for this request, which is returned so.

        ``withheld`` are scopes the person keeps to themselves; without ``openid`` there would be no answer at all.

        Raises:
            RecordUnavailable: nothing was remembered.
        """
        request = interaction.request
        if request is None:
            raise InteractionLost
        self._agreement.remember(session, request.client_id, asked_about(request), withheld=withheld)
        return replace(interaction, agreed_as=session.digest)

    def decline(self, interaction: Interaction) -> Redirection | Home:
        """The person says no."""
        if interaction.request is None:
            return Home()
        # A client that was removed meanwhile is told nothing.
        self.client(interaction)
        return self._turn_away(interaction, interaction.request, AccessDenied(why="the person declined"))

    def give_up(self, interaction: Interaction) -> Redirection | Home:
        """The person cannot, or does not want to, prove what is missing."""
        if interaction.request is None:
            return Home()
        self.client(interaction)
        return self._turn_away(interaction, interaction.request, UnmetAuthentication(why="acr_values"))

    def _turn_away(self, interaction: Interaction, request: AuthorizationRequest, error: Redirectable) -> Redirection:
        self._store.interactions.spend(interaction)
        return self._answers.bad(error, request)

    def _parked(self, interaction: Interaction, step: Step, level: int = 0) -> Parked:
        return Parked(sealed=self._parking.sealed(interaction), step=step, level=level)

    def _today(self, session: Session | None) -> tuple[Person | None, Session | None]:
        """Whose session it is, and the session as sure as it is today."""
        if session is None:
            return None, None
        person = self._admission.holder(session)
        return person, as_sure_as_now(session, person)

    def _step(
        self,
        request: AuthorizationRequest,
        client: Client,
        person: Person | None,
        *,
        session: Session | None,
        interaction: Interaction | None,
        decided: bool = False,
    ) -> tuple[Step, int]:
        """What comes next, and how sure a login it takes."""
        consent = self._store.consents.find(session.subject, client.id) if session else None
        right = session is None or request.subject in ("", self._subjects.of(client, session.subject))
        step = next_step(
            request,
            client,
            session=session,
            consent=consent,
            interaction=interaction,
            at=self._now(),
            undecided=self._undecided(request, client, session, interaction),
            right_person=right,
        )
        if step is Step.ISSUE and session is not None and not decided:
            return self._admission.step(client, session, person)
        return step, request.assurance

    def _undecided(
        self, request: AuthorizationRequest, client: Client, session: Session | None, interaction: Interaction | None
    ) -> bool:
        if session is None or "mandate" not in request.scopes or self._chosen(request, client, session, interaction):
            return False
        service = self._mandates.service(client, host_of(request.redirect_uri))
        return bool(self._mandates.usable(session.subject, service))

    def _chosen(
        self, request: AuthorizationRequest, client: Client, session: Session, interaction: Interaction | None
    ) -> str:
        """For whom the person said to act: here, or before at the gateway that let them in at this client's host.

        A client may repeat what the gateway told it, so that nobody is asked twice; what was not chosen there in this
        very session counts for nothing.
        """
        chosen = interaction.chosen(session) if interaction else ""
        if chosen or not request.acting or client.trusted:
            return chosen
        place, mandate = host_of(request.redirect_uri), "" if request.acting == SELF else request.acting
        return request.acting if self._store.grants.let_in(session.sid, place, mandate) else ""

    def _issue(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Session,
        person: Person | None,
        interaction: Interaction | None,
    ) -> Redirection:
        # 1. Nothing is issued on old news.
        self._fresh()
        at = self._now()
        refused = self._refused(request, client, session)
        acting = "mandate" in request.scopes - refused
        mandate = self._mandate(request, client, session, interaction) if acting else ""
        grant = Grant(
            id=secrets.token_urlsafe(18),
            subject=session.subject,
            client_id=client.id,
            sid=session.sid,
            scopes=request.scopes - refused,
            refused=refused,
            assurance=session.assurance,
            methods=session.methods,
            authenticated_at=session.authenticated_at,
            nonce=request.nonce,
            place=host_of(request.redirect_uri),
            created_at=at,
            resources=request.resources,
            details=_granted(request, interaction),
            mandate=mandate,
            claims=without(request.claims, refused),
            proofing=person.proofing.level if person else -1,
        )
        # 2. Record the intent. A crash from here to 3 leaves an intent without outcome, and nothing that works.
        self._records.write(self._records.code(grant, Outcome.INTENDED))
        # 3. Family, code and outcome in one transaction, if the session still stands; one answer per parked request,
        #    however many tabs.
        value = secrets.token_urlsafe(32)
        code = Code(
            digest=digest(value),
            grant_id=grant.id,
            client_id=client.id,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            jkt=request.jkt,
            expires_at=at + int(self._settings.code_lifetime.total_seconds()),
            used=False,
        )
        outcome = self._records.code(grant, Outcome.SUCCESS)
        if not self._store.grants.issue(
            grant, code, expires_at=session.expires_at, at=at, outcome=outcome, answers=interaction
        ):
            raise AccessDenied(why="the session has ended")
        self._nudge()
        return self._answers.good(request, code=value)

    def _mandate(
        self, request: AuthorizationRequest, client: Client, session: Session, interaction: Interaction | None
    ) -> str:
        """The mandate that was chosen, which must stand now."""
        chosen = self._chosen(request, client, session, interaction)
        if chosen in ("", SELF):
            return ""
        service = self._mandates.service(client, host_of(request.redirect_uri))
        if not self._mandates.stands(session.subject, chosen, service):
            self._admission.deny(client, session, "mandate withdrawn")
            raise AccessDenied(why="the mandate is over")
        return chosen

    def _refused(self, request: AuthorizationRequest, client: Client, session: Session) -> frozenset[str]:
        """What the person was asked for and said no to."""
        if client.trusted and "consent" not in request.prompts:
            return frozenset()
        consent = self._store.consents.find(session.subject, client.id)
        return asked_about(request) & consent.refused if consent else frozenset()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _granted(request: AuthorizationRequest, interaction: Interaction | None) -> str:
    """The details as they are granted; a signature nobody confirmed is never."""
    if not signs(request.details):
        return request.details
    if interaction is None or not interaction.confirmed_by:
        raise AccessDenied(why="nobody confirmed the signature")
    by: By = "card" if interaction.confirmed_by == "card" else "passkey"
    return confirmed(request.details, by=by, at=interaction.confirmed_at)
