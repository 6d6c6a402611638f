# SPDX-License-Identifier: Apache-2.0
"""For whom people may act, as the directory says at this moment; nothing is kept of it but the key in a grant."""

from datetime import UTC, datetime, time, timedelta
from typing import Literal

from core.errors import NotFound

from ..models import Client, Grant, HeldMandate
from ..store.clients import ClientRows
from .collaborators import Mandate, People

EVERYTHING = "all"


class Mandates:
    """Looks them up; a mandate counts while both sides of it do."""

    def __init__(self, *, people: People, clients: ClientRows) -> None:
        self._people = people
        self._clients = clients

    def service(self, client: Client, place: str) -> Client:
        """Whose service a grant at a host is for: the site's own clients let people in at the hosts of others."""
        return (self._clients.at_host(place) or client) if client.trusted and place else client

    def held(self, subject: str) -> list[HeldMandate]:
        """For whom somebody may act today; nobody acts for the disabled, nor for what is not in the directory.

        Raises:
            Unavailable: the directory does not answer.
        """
        found = (self._named(each) for each in self._people.mandates_of(subject))
        return sorted((each for each in found if each is not None), key=lambda each: (each.name, each.key))

    def usable(self, subject: str, client: Client) -> list[HeldMandate]:
        """Those that are for this client's service."""
        return [each for each in self.held(subject) if each.service in (EVERYTHING, client.id)]

    def stands(self, subject: str, key: str, client: Client) -> bool:
        """Whether somebody may act under that mandate at this client today."""
        return bool(self.ends(subject, key, client))

    def ends(self, subject: str, key: str, client: Client) -> int:
        """When a mandate is over by itself: its last day ends at midnight (UTC); 0 if it does not count now.

        Raises:
            Unavailable: the directory does not answer.
        """
        mandate = self._found(subject, key, client)
        if mandate is None or (mandate.principal and self._named(mandate) is None):
            return 0
        return int(datetime.combine(mandate.until + timedelta(days=1), time(), UTC).timestamp())

    def of_grant(self, grant: Grant, client: Client) -> HeldMandate | None:
        """The mandate a grant was given under, if it counts now; ``client`` is whose grant it is.

        Raises:
            Unavailable: the directory does not answer.
        """
        mandate = self._found(grant.subject, grant.mandate, self.service(client, grant.place))
        return None if mandate is None else self._named(mandate)

    def _found(self, subject: str, key: str, client: Client) -> Mandate | None:
        mandate = {key_of(each): each for each in self._people.mandates_of(subject)}.get(key)
        return mandate if mandate is not None and mandate.scope in (EVERYTHING, client.id) else None

    def given(self, subject: str) -> list[tuple[HeldMandate, str, str]]:
        """Who may act for a person today, each with the holder's names; the disabled may not.

        Raises:
            Unavailable: the directory does not answer.
        """
        found = []
        for each in self._people.mandates_for(subject):
            try:
                holder = self._people.person(each.holder)
            except NotFound:
                continue
            named = self._named(each)
            if named is not None and holder.enabled:
                found.append((named, holder.name, holder.name_zh))
        return found

    def _named(self, of: Mandate) -> HeldMandate | None:
        kind: Literal["organisation", "person"] = "person" if of.principal else "organisation"
        try:
            if of.principal:
                principal = self._people.person(of.principal)
                if not principal.enabled:
                    return None
                name, name_zh = principal.name, principal.name_zh
            else:
                organisation = self._people.organisation(of.organisation)
                name, name_zh = organisation.name, organisation.name_zh
        except NotFound:
            return None
        return HeldMandate(
            kind=kind,
            id=of.principal or of.organisation,
            name=name,
            name_zh=name_zh,
            service=of.scope,
            until=of.until.isoformat(),
        )


def key_of(of: Mandate) -> str:
    """By which grants name a mandate."""
    kind = f"person:{of.principal}" if of.principal else f"organisation:{of.organisation}"
    return f"{kind}:{of.scope}"
