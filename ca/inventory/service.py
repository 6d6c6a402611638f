# SPDX-License-Identifier: Apache-2.0
"""The verbs of reading: search, one holder, one certificate, export; each is in the record before anything is shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from audit import Outcome, Recorder
from audit.models import Attribute
from core.clock import Clock
from core.errors import Invalid, NotFound
from directory import Device, Organisation, Page, Person

from ..service.notes import event, is_identifier
from .export import Form, written
from .models import Found, Held, Holding, Query
from .store import Stock

_MOST_SHOWN = 60


class HolderSource(Protocol):
    """The directory as far as the inventory looks into it; lookups of strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...

    def device(self, identifier: str, /) -> Device:
        """One device."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The officer who reads, as the gateway vouched for."""

    subject: str
    # As it is written in records of officers' reading.
    zone: str = ""


class Inventory:
    """Everything that was issued; collaborators by keyword.

    ``devices_of`` gives a page of an organisation's devices, from a place in the list on.
    """

    def __init__(
        self,
        *,
        stock: Stock,
        directory: HolderSource,
        devices_of: Callable[[str, str], Page[Device]],
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._stock = stock
        self._directory = directory
        self._devices = devices_of
        self._recorder = recorder
        self._clock = clock

    def search(self, query: Query, reader: Reader, *, after: str = "", limit: int = 50) -> Found:
        """One page of a search.

        Raises:
            NoSuchPage: ``after`` is no place.
            RecordUnavailable: nothing is shown.
        """
        found = self._stock.search(query, at=self._clock.now(), after=after, limit=limit)
        self._read("search", reader, query=query, held=found.held)
        return found

    def one(self, serial: str, reader: Reader) -> Held:
        """One certificate.

        Raises:
            NoSuchCertificate: never used.
            RecordUnavailable: nothing is shown.
        """
        held = self._stock.one(serial)
        self._read("certificate", reader, held=(held,), about=held.subject, name=held.name)
        return held

    def holder(self, subject: str, reader: Reader, *, after: str = "", devices_after: str = "") -> Holding:
        """Who holds what.

        Raises:
            NotFound: neither the directory nor the tables know the holder.
            RecordUnavailable: nothing is shown.
        """
        held = self._stock.search(Query(holder=subject), at=self._clock.now(), after=after)
        kind, name, organisation = self._known(subject)
        if kind == "unknown" and not held.held:
            raise NotFound
        devices: tuple[tuple[str, str, tuple[Held, ...]], ...] = ()
        more = ""
        if kind == "organisation":
            devices, more = self._devices_of(subject, devices_after)
        if kind == "unknown" and not is_identifier(subject):
            kind, name = "machine", held.held[0].name
        shown = [*held.held, *(each for _, _, some in devices for each in some)]
        self._read("holder", reader, held=shown, about=subject, name=name)
        return Holding(
            subject=subject,
            kind=kind,
            name=name or (held.held[0].name if held.held else ""),
            organisation=organisation,
            organisation_name=self._organisation_name(organisation),
            held=held,
            devices=devices,
            more_devices=more,
        )

    def export(self, query: Query, form: Form, reader: Reader) -> Iterator[bytes]:
        """Everything that is found, as lines; it is recorded when this returns, and read while it is sent.

        Raises:
            RecordUnavailable: nothing is given out.
        """
        self._record("ca.inventory.exported", reader, {"form": form.value, **_filters(query)}, text=query.personal)
        return written(self._stock.each(query, at=self._clock.now()), form)

    def looked(self, view: str, reader: Reader) -> None:
        """Record that a page of numbers or findings is about to be shown.

        Raises:
            RecordUnavailable: it is not shown.
        """
        self._read(view, reader)

    def _known(self, subject: str) -> tuple[str, str, str]:
        # Names that no directory could hold are unknown like others.
        with suppress(NotFound, Invalid):
            if not is_identifier(subject):
                found = self._directory.organisation(subject)
                return "organisation", found.name_zh or found.name, found.parent
        with suppress(NotFound, Invalid):
            person = self._directory.person(subject)
            return "person", person.name_zh or person.name, person.organisation
        with suppress(NotFound, Invalid):
            device = self._directory.device(subject)
            return "device", device.name, device.organisation
        return "unknown", "", ""

    def _organisation_name(self, organisation: str) -> str:
        with suppress(NotFound, Invalid):
            if organisation:
                found = self._directory.organisation(organisation)
                return found.name_zh or found.name
        return ""

    def _devices_of(self, organisation: str, after: str) -> tuple[tuple[tuple[str, str, tuple[Held, ...]], ...], str]:
        page = self._devices(organisation, after)
        held = self._stock.newest([each.id for each in page.items])
        return tuple((each.id, each.name, held[each.id]) for each in page.items), page.after

    def _read(
        self,
        view: str,
        reader: Reader,
        *,
        query: Query | None = None,
        held: Iterable[Held] = (),
        about: str = "",
        name: str = "",
    ) -> None:
        subjects = dict.fromkeys(each.subject for each in held if is_identifier(each.subject))
        attributes: dict[str, Attribute] = {"view": view, **_filters(query)}
        if subjects:
            attributes["shown"] = ",".join(list(subjects)[:_MOST_SHOWN])
        self._record(
            "ca.inventory.read", reader, attributes, text=query.personal if query else "", about=about, name=name
        )

    def _record(
        self,
        kind: str,
        reader: Reader,
        attributes: Mapping[str, Attribute],
        *,
        text: str = "",
        about: str = "",
        name: str = "",
    ) -> None:
        # What was typed is sealed under the officer's own key: whom it means is not known.
        person = about if is_identifier(about) else ""
        told = event(
            kind,
            Outcome.SUCCESS,
            at=self._clock.now(),
            subject=person or reader.subject,
            actor=reader.subject,
            attributes={**attributes, **({"about": about} if about and not person else {})},
        )
        sealed = {"text": text} if text and not person else {"name": name} if name and person else {}
        self._recorder.record(replace(told, zone=reader.zone, sealed=sealed))


def _filters(query: Query | None) -> dict[str, Attribute]:
    return {f"filter_{name}": value for name, value in query.clear.items()} if query else {}
