# SPDX-License-Identifier: Apache-2.0
"""What the record says was taken away ends here within the second: sessions, tokens, certificates, cached people.

Every worker follows the feed. Effects go into the shared tables and into this worker's memory; a decision asks the
memory, and denies if the feed has been silent for too long.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from audit import Entry, Event, Outcome
from ca.models import read_authority
from core.clock import Clock
from core.log import logger

from ..store import Effect, Kind, Store
from .people import People

SESSION_MEMORY = timedelta(hours=26)
"""Longer than any session or token of one sign-on session can live."""
TOKEN_MEMORY = timedelta(hours=2)
"""Longer than an access token that is taken here can live."""
LOADING = 10.0
"""Seconds for which a decision waits while an announced release is verified, proved and loaded."""
AT_ONCE = 1.0
"""Seconds within which what was taken away bites everywhere."""
SAVE_EVERY = 5.0
"""Seconds between savings of a place that no effect depends on."""
SWEEP_EVERY = 300.0
"""Seconds between looks for what has passed."""
_POLICIES = frozenset({"policy.released", "policy.trial.ended", "policy.tried"})
"""What says that another bundle is to be read."""
_READING = frozenset({"directory.history.read", "directory.people.searched", "directory.person.read"})
"""What changes nobody."""
PAST_RECORD = "directory.change.unrecorded"
"""What the directory did not do itself."""
_log = logger(__name__)


class Freshness(Protocol):
    """The follower of the feed, as decisions see it."""

    def check(self) -> None:
        """Raise FeedStale if nothing was heard for too long."""
        ...

    def fresh(self) -> bool:
        """Whether ``check`` would neither raise nor wait."""
        ...

    def lost(self) -> bool:
        """Whether ``check`` would raise without waiting."""
        ...


class Policies(Protocol):
    """The policies in force, as far as news is about them."""

    @property
    def sequence(self) -> int:
        """Number of the release that decides; 0 while there is none."""
        ...

    def reload(self) -> object:
        """Load what lies in the folder; raises where it is refused, and what decided goes on deciding."""
        ...


class News:
    """Applies entries; ``taken`` is what decisions ask."""

    about: ClassVar[tuple[str, ...]] = (
        "ca.certificate.released",
        "ca.certificate.revoked",
        "ca.certificate.suspended",
        "ca.ceremony.completed",
        "directory.",
        "gateway.session.ended",
        "gateway.switch.",
        "policy.released",
        "policy.trial.ended",
        "policy.tried",
        "sso.session.ended",
        "sso.token.ended",
        "sso.token.revoked",
    )
    """What the feed must tell; what ``hear`` does nothing about is not asked for."""

    def __init__(self, *, store: Store, people: People, clock: Clock, policies: Policies) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._policies = policies
        self._told: list[Callable[[Sequence[Entry]], None]] = []
        self._lock = threading.Lock()
        # With the time after which nothing can depend on it; None stands until lifted.
        self._revoked = store.revoked()
        self._reload_due = False
        # Cleared from an announcement until the first try to load what it announces has ended.
        self._loaded = threading.Event()
        self._loaded.set()
        self._announced = self._last_release()
        self._heard: int | None = None
        self._swept = clock.monotonic()
        # Place in the feed not yet saved (0: none), and when it was last saved. Most entries are decisions of our own
        # and change nothing; reading some of them again after a restart costs less than saving after each.
        self._unsaved = 0
        self._saved = clock.monotonic()

    def tell(self, told: Callable[[Sequence[Entry]], None]) -> None:
        """Have somebody else told what was heard, after it is in force."""
        self._told.append(told)

    @property
    def heard(self) -> int:
        """Index of the first entry that is not in force here yet; about policies `policies_missing` is asked beside."""
        return self._heard or 0

    def start(self) -> int:
        """Where the feed is to be read from.

        At first that is where any worker of the role got to, for the tables hold what was heard until there. Later it
        is where this worker got to: what another heard meanwhile has not reached this one's memory and policies.
        """
        if self._heard is None:
            place = self._store.next_entry()
            with self._lock:
                # Added, not replaced: memory may know what the table could not take yet.
                self._revoked = {**self._store.revoked(), **self._revoked}
                self._announced = self._last_release()
            # The bundle was read before this place was: a release in between would go unheard.
            self._reload_due = True
            self._reload_policies()
            self._heard = place
        return self._heard

    def hear(self, entries: Sequence[Entry]) -> None:
        """Apply entries in order; an empty sequence is a heartbeat."""
        try:
            self._hear(entries)
        finally:
            self._loaded.set()

    def _hear(self, entries: Sequence[Entry]) -> None:
        effects: list[Effect] = []
        for entry in entries:
            event = entry.event
            effects += self._released(event)
            if event.type in _POLICIES and event.outcome is Outcome.SUCCESS:
                self._reload_due = True
            self._forget_people(event)
            effects += self._effects(event)
        if effects:
            # Memory first: what is taken away bites here even if the table cannot be written.
            with self._lock:
                for effect in effects:
                    if effect.lifts:
                        self._revoked.pop((effect.kind, effect.value), None)
                    else:
                        self._revoked[effect.kind, effect.value] = effect.until
        if entries:
            self._unsaved = entries[-1].index + 1
        if effects or (self._unsaved and self._clock.monotonic() - self._saved >= SAVE_EVERY):
            self._store.apply(effects, next_entry=self._unsaved)
            self._saved, self._unsaved = self._clock.monotonic(), 0
        if entries:
            # Not before: what the table could not take is heard once more.
            self._heard = entries[-1].index + 1
        self._reload_policies()
        for told in self._told:
            told(entries)
        self._sweep()

    def _forget_people(self, event: Event) -> None:
        if not about_people(event):
            return
        # What was done past the record may concern more than it says, and what names nobody may concern all.
        if event.subject and event.type != PAST_RECORD:
            self._people.drop(event.subject)
        else:
            self._people.drop_all()

    def taken(self, *names: tuple[Kind, str]) -> bool:
        """Whether any of these was taken away."""
        with self._lock:
            return not self._revoked.keys().isdisjoint(names)

    @property
    def policies_pending(self) -> bool:
        """The record announced a release that this worker could not load yet; what it takes away is unknown.

        What lies in the folder and was never announced takes no effect where it is refused, and denies nothing.
        """
        return self._announced > self._policies.sequence

    def policies_missing(self) -> bool:
        """The same, after an announced release that is being loaded had its time: nobody is refused for the loading.

        Nobody is let in by the old release meanwhile either, once the new one was announced here.
        """
        return self.policies_pending and not (self._loaded.wait(LOADING) and not self.policies_pending)

    def _sweep(self) -> None:
        """Forget what nothing can depend on any more, so that memory does not grow with every logout."""
        if self._clock.monotonic() - self._swept < SWEEP_EVERY:
            return
        self._swept, now = self._clock.monotonic(), self._clock.now()
        with self._lock:
            self._revoked = {name: until for name, until in self._revoked.items() if until is None or until > now}

    def _reload_policies(self) -> None:
        if not self._reload_due:
            return
        try:
            self._policies.reload()
        except Exception:  # noqa: BLE001 - whatever it was: what decided goes on or is denied, and so does the feed
            _log.error("policies_not_reloaded", pending=self.policies_pending, exc_info=True)
        finally:
            self._loaded.set()
        # What was announced is tried again; what nobody released stays outside until there is news of it.
        self._reload_due = self.policies_pending

    def _last_release(self) -> int:
        return max((int(value) for kind, value in self._revoked if kind is Kind.RELEASE), default=0)

    def _released(self, event: Event) -> list[Effect]:
        """The last one counts and not the highest: a site put back from a copy goes on from an older number."""
        number = event.attributes.get("sequence")
        if event.type != "policy.released" or event.outcome is not Outcome.SUCCESS or not isinstance(number, int):
            return []
        if number > self._policies.sequence:
            self._loaded.clear()
        before, self._announced = self._announced, number
        return [
            *([Effect(kind=Kind.RELEASE, value=str(before), lifts=True)] if before != number else []),
            Effect(kind=Kind.RELEASE, value=str(number)),
        ]

    def _effects(self, event: Event) -> list[Effect]:
        # Taking away counts from its intent on; lifting only once it happened.
        happened = event.outcome is Outcome.SUCCESS
        began = happened or event.outcome is Outcome.INTENDED
        subject = event.subject
        passing = event.at + SESSION_MEMORY
        match event.type:
            case "directory.mandate.withdrawn" | "directory.mandate.granted":
                return _of_mandate(event, passing)
            case "sso.session.ended" if began and event.session:
                return [Effect(kind=Kind.SESSION, value=event.session, until=passing)]
            case "sso.token.revoked" | "sso.token.ended" if began and event.object:
                return [_of_tokens(event)]
            case "directory.person.disabled" if began:
                return [Effect(kind=Kind.SUBJECT, value=subject)]
            case "directory.person.enabled" if happened:
                return [Effect(kind=Kind.SUBJECT, value=subject, lifts=True)]
            case "directory.device.disabled" if began:
                return [Effect(kind=Kind.DEVICE, value=subject)]
            case "directory.device.enabled" if happened:
                return [Effect(kind=Kind.DEVICE, value=subject, lifts=True)]
            # Two officers stand behind it; an act that failed after all shuts nothing.
            case "gateway.switch.shut" if began or event.outcome is Outcome.FAILURE:
                return [Effect(kind=Kind.SWITCH, value=event.object, lifts=not began)]
            case "gateway.switch.reopened" if happened:
                return [Effect(kind=Kind.SWITCH, value=event.object, lifts=True)]
            # People's certificates end sessions by way of the sign-on; at the way out they are presented here.
            case "ca.certificate.revoked" | "ca.certificate.suspended" if began and _shown_here(event):
                return [Effect(kind=Kind.CERTIFICATE, value=event.object)]
            case "ca.certificate.released" if happened and _shown_here(event):
                return [Effect(kind=Kind.CERTIFICATE, value=event.object, lifts=True)]
            case _:
                return []


def _of_mandate(event: Event, passing: datetime) -> list[Effect]:
    """Of mandates for companies the directory itself is asked; those for people it does not show us."""
    said, lifts = event.attributes, event.type.endswith(".granted")
    counts = event.outcome is Outcome.SUCCESS or (event.outcome is Outcome.INTENDED and not lifts)
    if not (counts and said.get("principal")):
        return []
    name = mandate_name(event.subject, f"person:{said['principal']}:{said.get('scope', '')}")
    return [Effect(kind=Kind.MANDATE, value=name, until=None if lifts else passing, lifts=lifts)]


def _of_tokens(event: Event) -> Effect:
    """A family of tokens, or one token alone."""
    if event.type == "sso.token.revoked":
        return Effect(kind=Kind.GRANT, value=event.object, until=event.at + SESSION_MEMORY)
    return Effect(kind=Kind.TOKEN, value=event.object, until=event.at + TOKEN_MEMORY)


def about_people(event: Event) -> bool:
    """Whether an entry changes what the directory says of people or devices."""
    return event.type.startswith("directory.") and event.type not in _READING


def overtaken(clock: Clock, *, since: float) -> bool:
    """Whether so long passed since a decision, by ``clock.monotonic``, that what was taken away meanwhile must bite."""
    return clock.monotonic() - since > AT_ONCE


def mandate_name(holder: str, mandate: str) -> str:
    """By which a mandate for a person is known to be over."""
    return f"{holder} {mandate}"


def _shown_here(event: Event) -> bool:
    """Whether an authority for people or devices issued it; what names no authority of the site counts too."""
    issuer = read_authority(str(event.attributes.get("issuer", "devices")))
    return issuer is None or issuer.kind in ("devices", "people")
