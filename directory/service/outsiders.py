# SPDX-License-Identifier: Apache-2.0
"""What portals and operating systems that speak LDAP may read: rights of devices, which bind with their certificates.

An identity whose certificate was withdrawn is barred for good: slapd sees of a certificate only whose it is, so the
withdrawn one could not be told from its successor. Whoever goes on gets a device identity of its own and the rights
of the old one (``rotate``). A suspended certificate bars until it is released.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from ..errors import BadDays, BadRight, DeviceBarred, DeviceIsOut, NoSuchDevice, NoSuchOrganisation, Pending
from ..ldap import Entry, Pool, Tree
from ..ldap.changes import Change, Verb
from ..models import Device
from ..slapd import EVERYTHING, OF_PEOPLE, Right
from .deeds import Deed, Deeds, reasoned

MOST_SCOPES = 8
"""Organisations of one device; who needs more needs everything."""
LONGEST_DAYS = 366
"""Days for which rights are given at most, so that somebody says again that they are needed."""
ENDED, WITHDRAWN = "ended", "certificate withdrawn"
_PAGE = 400
_ATTRIBUTES = ("tallyId", "cn", "tallyOrganisation", "tallyEnabled", "tallyRight", "tallyBarred", "tallyUntil")


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """A device that may read by LDAP, or was let."""

    id: str
    name: str
    organisation: str
    enabled: bool
    # As ``right:scope``.
    rights: tuple[str, ...]
    # Serials of certificates that were withdrawn.
    barred: tuple[str, ...]
    until: date | None

    @property
    def reads(self) -> bool:
        """Whether it is shown anything now."""
        return self.enabled and bool(self.rights) and not self.barred


class Outsiders:
    """The verbs of whoever lets software in, and of the record when a certificate is withdrawn."""

    def __init__(self, deeds: Deeds, pool: Pool) -> None:
        self._deeds = deeds
        self._pool = pool

    def all(self) -> list[Speaker]:
        """Every device with rights; the first ``_PAGE`` of them.

        Raises:
            DirectoryUnavailable: the server does not answer.
        """
        branch = self._tree.branch("devices")
        found = self._pool.search(branch, "(tallyRight=*)", _ATTRIBUTES, limit=_PAGE)
        return sorted(map(_speaker, found), key=lambda each: (each.name, each.id))

    def one(self, device: str) -> Speaker:
        """One device, with rights or without.

        Raises:
            NoSuchDevice: there is none.
        """
        entry = self._pool.read(self._tree.device(device), _ATTRIBUTES)
        if entry is None:
            raise NoSuchDevice
        return _speaker(entry)

    def let(
        self, device: str, rights: Iterable[str], scopes: Iterable[str], *, until: date, actor: str, reason: str
    ) -> Speaker:
        """Let a device read exactly this until a day, whatever it was let read before; none of the scopes: everything.

        Raises:
            NoSuchDevice: there is none.
            DeviceIsOut: it is disabled, lost or retired.
            DeviceBarred: a certificate of it was withdrawn.
            BadRight: no right at all, an unknown one, or one that shows nothing without ``people``.
            NoSuchOrganisation: a scope is none, or they are too many.
            BadDays: it would be over already, or last for more than a year.
            NoReason: none was given.
        """
        why = reasoned(reason)
        with self._deeds.alone():
            wanted = self._wanted(rights, scopes)
            self._in_time(until)
            found = self._sound(device)
            self._give(found, wanted, until, (), {"by": "given"}, actor=actor, reason=why)
        return self.one(device)

    def rotate(self, old: str, new: str, *, last: date, actor: str, reason: str) -> Speaker:
        """Give another identity the rights of one that goes; both read until the last day of the old one.

        Raises:
            NoSuchDevice: there is no such device, or the old one has no rights.
            DeviceIsOut, DeviceBarred: the new one cannot be let in.
            BadDays: the last day is before today or after that of the rights.
            NoReason: none was given.
        """
        why = reasoned(reason)
        with self._deeds.alone():
            left = self.one(old)
            if not left.rights or left.until is None or old == new:
                raise NoSuchDevice
            if not self._deeds.standings.today() <= last <= left.until:
                raise BadDays
            shorter = Change(
                verb=Verb.REPLACE, dn=self._tree.device(old), attribute="tallyUntil", value=_time(last),
                before=_time(left.until),
            )  # fmt: skip
            self._give(self._sound(new), left.rights, left.until, (shorter,), {"by": old}, actor=actor, reason=why)
        return self.one(new)

    def close(self, device: str, *, actor: str, reason: str = "", because: str = "") -> None:
        """Take every right; bites at once, on connections that are open too.

        Raises:
            NoSuchDevice: there is none with rights.
            Pending: recorded; the server follows.
        """
        with self._deeds.alone():
            found = self.one(device)
            if not found.rights:
                raise NoSuchDevice
            deed = self._deed("directory.software.closed", found, reason, {"because": because} if because else {})
            self._deeds.take(self._taking(found), deed, actor=actor)

    def bar(self, device: str, serial: str) -> bool:
        """Shut out the identity for which this certificate was issued; whether it was not shut out for that already.

        Raises:
            DirectoryUnavailable: the server does not answer; hear it again.
        """
        with self._deeds.alone():
            try:
                found = self.one(device)
            except NoSuchDevice:
                return False
            if serial in found.barred:
                return False
            barring = Change(verb=Verb.INCLUDE, dn=self._tree.device(device), attribute="tallyBarred", value=serial)
            deed = self._deed("directory.software.barred", found, "", {"certificate": serial, "because": WITHDRAWN})
            with suppress(Pending):
                self._deeds.take([barring], deed, actor="")
        return True

    def release(self, device: str, serial: str) -> bool:
        """A suspended certificate was released: it bars no more.

        Raises:
            DirectoryUnavailable: the server does not answer; hear it again.
        """
        with self._deeds.alone():
            try:
                found = self.one(device)
            except NoSuchDevice:
                return False
            if serial not in found.barred:
                return False
            lifted = Change(verb=Verb.EXCLUDE, dn=self._tree.device(device), attribute="tallyBarred", value=serial)
            deed = self._deed("directory.software.released", found, "", {"certificate": serial})
            with suppress(Pending):
                self._deeds.give([lifted], deed, actor="")
        return True

    def end(self) -> int:
        """Take the rights that are over; returns of how many devices.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        today, done = self._deeds.standings.today(), 0
        for each in self.all():
            if each.until is None or each.until < today:
                with suppress(NoSuchDevice):
                    self.close(each.id, actor="", because=ENDED)
                    done += 1
        return done

    @property
    def _tree(self) -> Tree:
        return self._deeds.tree

    def _sound(self, device: str) -> Speaker:
        found = self.one(device)
        state: Device = self._deeds.standings.directory.device(device)
        if not state.enabled:
            raise DeviceIsOut
        if found.barred:
            raise DeviceBarred
        return found

    def _wanted(self, rights: Iterable[str], scopes: Iterable[str]) -> tuple[str, ...]:
        try:
            chosen = {Right(right) for right in rights}
        except ValueError as error:
            raise BadRight from error
        if not chosen or (chosen & OF_PEOPLE and Right.PEOPLE not in chosen):
            raise BadRight
        within = sorted(set(scopes))
        if len(within) > MOST_SCOPES:
            raise NoSuchOrganisation
        found = [self._deeds.standings.directory.organisation(scope).id for scope in within] or [EVERYTHING]
        return tuple(f"{right}:{scope}" for right in sorted(chosen) for scope in found)

    def _in_time(self, until: date) -> None:
        today = self._deeds.standings.today()
        if not today <= until <= today + timedelta(days=LONGEST_DAYS):
            raise BadDays

    def _give(
        self,
        found: Speaker,
        wanted: Sequence[str],
        until: date,
        more: Sequence[Change],
        said: dict[str, str],
        *,
        actor: str,
        reason: str,
    ) -> None:
        dn = self._tree.device(found.id)
        before = _time(found.until) if found.until else ""
        series = [
            Change(verb=Verb.REPLACE, dn=dn, attribute="tallyUntil", value=_time(until), before=before),
            *(_right(Verb.EXCLUDE, dn, each) for each in found.rights if each not in wanted),
            *(_right(Verb.INCLUDE, dn, each) for each in wanted if each not in found.rights),
            *more,
        ]
        scopes = sorted({each.partition(":")[2] for each in wanted})
        said |= {"rights": " ".join(sorted({each.partition(":")[0] for each in wanted})), "scope": " ".join(scopes)}
        deed = self._deed("directory.software.let", found, reason, {**said, "until": until.isoformat()})
        self._deeds.give(series, deed, actor=actor)

    def _taking(self, found: Speaker) -> list[Change]:
        dn = self._tree.device(found.id)
        taken = [_right(Verb.EXCLUDE, dn, each) for each in found.rights]
        if found.until:
            taken.append(Change(verb=Verb.EXCLUDE, dn=dn, attribute="tallyUntil", value=_time(found.until)))
        return taken

    @staticmethod
    def _deed(kind: str, of: Speaker, reason: str, attributes: dict[str, str]) -> Deed:
        sealed = {"name": of.name, "reason": reason}
        return Deed(kind=kind, subject=of.id, attributes=attributes, sealed=sealed)


def _right(verb: Verb, dn: str, value: str) -> Change:
    return Change(verb=verb, dn=dn, attribute="tallyRight", value=value)


def _time(day: date) -> str:
    return f"{day:%Y%m%d}000000Z"


def _speaker(entry: Entry) -> Speaker:
    day = entry.text("tallyUntil")
    return Speaker(
        id=entry.text("tallyId"),
        name=entry.text("cn"),
        organisation=entry.text("tallyOrganisation"),
        enabled=entry.text("tallyEnabled") == "TRUE",
        rights=tuple(sorted(entry.texts("tallyRight"))),
        barred=tuple(sorted(entry.texts("tallyBarred"))),
        until=date(int(day[:4]), int(day[4:6]), int(day[6:8])) if day else None,
    )
