# SPDX-License-Identifier: Apache-2.0
"""Decide whom to tell, look once more whether it is still true, hand it over, note it with its record."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from audit import Event, Outcome
from audit.models import Attribute
from core.calls import HookFailed, Webhook
from core.clock import Clock
from core.errors import Invalid, NotFound
from core.log import logger
from directory import Person

from ..config import NoticeSettings
from ..service.notes import event, is_identifier, note
from ..x509 import PROFILES, SubjectKind
from .letters import allowed, letter, tidings
from .mail import Mailer, MailFailed
from .models import Channel, Due, NoticeState
from .store import Board

_log = logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
_MOST_DOUBLINGS = 9
_PEOPLE = frozenset({SubjectKind.PERSON, SubjectKind.CITIZEN, SubjectKind.CIVIL_SERVANT, SubjectKind.REPRESENTATIVE})
_WORD = re.compile(r"[^a-z0-9]+")


class Recipients(Protocol):
    """The directory as far as notices look into it."""

    def person(self, subject: str) -> Person:
        """One person, with the address of mail; raises NotFound."""
        ...


@dataclass(frozen=True, kw_only=True)
class Words:
    """What letters call things: English and Chinese."""

    site: tuple[str, str]
    kinds: Mapping[str, tuple[str, str]]
    # Where a holder renews.
    where: str


class Notices:
    """Collaborators by keyword; without ``mailer`` there is no mail, without ``webhook`` no webhook."""

    def __init__(
        self,
        *,
        board: Board,
        settings: NoticeSettings,
        directory: Recipients,
        words: Words,
        domain: str,
        clock: Clock,
        mailer: Mailer | None = None,
        webhook: Webhook | None = None,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self._board = board
        self._settings = settings
        self._directory = directory
        self._words = words
        self._domain = domain
        self._clock = clock
        self._mailer = mailer
        self._webhook = webhook
        self._nudge = nudge

    @property
    def board(self) -> Board:
        """What is known of notices."""
        return self._board

    def round(self) -> int:
        """Plan, then hand over whatever is due; returns how many were handed over.

        Raises:
            Unavailable: the database or the directory is away; a later round goes on.
        """
        channels = self._channels()
        if not channels:
            return 0
        every = sorted({step for steps in (self._settings.steps, *self._settings.profiles.values()) for step in steps})
        self._board.plan(every, channels, self._steps, site=self._domain, at=self._clock.now())
        sent = 0
        while some := self._board.take(at=self._clock.now()):
            sent += sum(self._hand_over(each) for each in some)
            self._nudge()
        return sent

    def tell(self, serials: Sequence[str], *, explanation: str, apart_from: str) -> int:
        """Have holders told that these certificates are part of an incident; may be repeated, and is told once.

        By mail where a person holds it, and by the webhook; ``apart_from`` made those whose holders hear it elsewhere.
        Operators get no copies: it was they or officers who began it. Returns how many notices there are.
        """
        open_ = [each for each in self._channels() if each is not Channel.COPY]
        beside = [each for each in open_ if each is not Channel.MAIL]
        at = self._clock.now()
        return self._board.tell(
            serials,
            lambda profile: open_ if _is_a_persons(profile) else beside,
            about=explanation,
            apart_from=apart_from,
            site=self._domain,
            at=at,
        )

    def _steps(self, profile: str) -> Sequence[int]:
        return self._settings.profiles.get(profile, self._settings.steps)

    def _channels(self) -> list[Channel]:
        found = [Channel.MAIL] if self._mailer and self._settings.domains else []
        found += [Channel.COPY] if self._mailer and self._settings.copies else []
        return found + ([Channel.WEBHOOK] if self._webhook else [])

    def _hand_over(self, due: Due) -> bool:
        now = self._clock.now()
        reason = self._no_longer(due)
        if reason:
            self._board.end(due.id, NoticeState.DROPPED, at=now, why=reason)
            return False
        try:
            if not self._tell(due):
                self._fail(due, "no-address")
                return False
        except MailFailed as error:
            self._try_again(due, error.why, final=error.final)
            return False
        except HookFailed as error:
            self._try_again(due, error.why, wait=timedelta(seconds=error.wait))
            return False
        done = self._event("ca.notice.sent", due, Outcome.SUCCESS, {"message": due.id})
        return self._board.end(due.id, NoticeState.SENT, at=self._clock.now(), note=note(done))

    def _no_longer(self, due: Due) -> str:
        """Why it is no longer true; empty if it is."""
        # Of an incident the holder also hears when it is over.
        if not due.good and not due.about:
            return "revoked"
        if due.not_after <= self._clock.now():
            return "ended"
        return "renewed" if any(renews(each, due.der) for each in self._board.successors(due)) else ""

    def _tell(self, due: Due) -> bool:
        """Hand it over; False if there is nobody who may be told."""
        at = self._clock.now()
        if due.channel is Channel.WEBHOOK:
            if self._webhook is None:
                return False
            self._webhook.post(tidings(due, site=self._domain, at=at), identifier=due.id, at=at)
            return True
        to = self._settings.copies if due.channel is Channel.COPY else self._address(due)
        to = tuple(each for each in to if allowed(each, self._settings.domains) or each in self._settings.copies)
        if not to or self._mailer is None:
            return False
        made = letter(
            due,
            to=to,
            sender=self._settings.sender,
            domain=self._domain,
            site=self._words.site,
            kind=self._words.kinds.get(due.profile, (due.profile, due.profile)),
            where=self._words.where,
            at=at,
        )
        self._mailer.send(made, sender=self._settings.sender, to=to)
        return True

    def _address(self, due: Due) -> tuple[str, ...]:
        """Where the directory says that a person reads mail; nobody else has an address there."""
        if not _is_a_persons(due.profile) or not is_identifier(due.subject):
            return ()
        with suppress(NotFound, Invalid):
            person = self._directory.person(due.subject)
            if person.enabled and person.mail:
                return (person.mail.strip(),)
        return ()

    def _try_again(self, due: Due, why: str, *, final: bool = False, wait: timedelta = timedelta()) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(due.tries - 1, _MOST_DOUBLINGS), _LONGEST_PAUSE)
        again = self._clock.now() + max(pause, wait)
        if final or again >= due.not_after:
            self._fail(due, why)
            return
        _log.warning("notice_waits", channel=due.channel.value, why=why, tries=due.tries)
        self._board.later(due.id, at=again, why=why)

    def _fail(self, due: Due, why: str) -> None:
        told = self._event("ca.notice.failed", due, Outcome.FAILURE, {"reason": _WORD.sub("-", why.lower())[:64]})
        self._board.end(due.id, NoticeState.FAILED, at=self._clock.now(), why=why, note=note(told))

    def _event(self, kind: str, due: Due, outcome: Outcome, more: Mapping[str, str]) -> Event:
        facts: dict[str, Attribute] = {"channel": due.channel.value, "days": due.step, "profile": due.profile, **more}
        return event(
            kind,
            outcome,
            at=self._clock.now(),
            subject=due.subject,
            actor="role:ca",
            serial=due.serial,
            attributes=facts,
        )


def _is_a_persons(name: str) -> bool:
    profile = PROFILES.get(name)
    return profile is not None and profile.subject in _PEOPLE


def renews(new: bytes, old: bytes) -> bool:
    """Whether a certificate takes another's place: of the same organisation, and for every host of the old one."""
    try:
        one, other = x509.load_der_x509_certificate(new), x509.load_der_x509_certificate(old)
        return _hosts(one) >= _hosts(other) and _represented(one) == _represented(other)
    except (ValueError, x509.DuplicateExtension):
        return False


def _hosts(certificate: x509.Certificate) -> set[object]:
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return {each.value for each in names if isinstance(each, x509.DNSName | x509.IPAddress)}
    return set()


def _represented(certificate: x509.Certificate) -> list[object]:
    return [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)]
