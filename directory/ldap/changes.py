# SPDX-License-Identifier: Apache-2.0
"""Changes of the tree as values: they can be written down before they are made, made twice, and taken back."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .connection import Pool
from .entries import Content


class Verb(StrEnum):
    """What is done; each may be done twice with the effect of once."""

    ADD = "add"
    REPLACE = "replace"
    INCLUDE = "include"
    EXCLUDE = "exclude"
    REMOVE = "remove"
    # ``value`` is the new name.
    RENAME = "rename"
    # Sets an attribute to exactly these bytes, perhaps none.
    PUBLISH = "publish"
    # Nothing is made: tells whether the entry was changed by other means since this was written down.
    WITNESS = "witness"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of one entry."""

    verb: Verb
    dn: str
    attribute: str = ""
    value: str = ""
    # For ``replace`` that is part of a series of grants: what was there, to be put back if the series fails.
    before: str | None = None
    # For ``add`` only.
    content: Content = field(default_factory=dict)
    # For ``publish`` only: base64.
    values: tuple[str, ...] = ()

    def make(self, pool: Pool) -> None:
        """Carry it out.

        Raises:
            DirectoryUnavailable: whether it happened is unknown; make it again.
            DirectoryRefused: it did not happen and never will.
        """
        if self.verb is Verb.ADD:
            pool.add(self.dn, self.content)
        elif self.verb is Verb.REPLACE:
            pool.replace(self.dn, self.attribute, [self.value] if self.value else [])
        elif self.verb is Verb.INCLUDE:
            pool.include(self.dn, self.attribute, self.value)
        elif self.verb is Verb.EXCLUDE:
            pool.exclude(self.dn, self.attribute, self.value)
        elif self.verb is Verb.REMOVE:
            pool.remove(self.dn)
        elif self.verb is Verb.RENAME:
            pool.rename(self.dn, self.value)
        elif self.verb is Verb.PUBLISH:
            pool.publish(self.dn, self.attribute, self.published)

    @property
    def published(self) -> list[bytes]:
        """What ``publish`` sets."""
        return [base64.b64decode(value) for value in self.values]

    @property
    def takes_away(self) -> bool:
        """Whether nobody can do more after it than before."""
        off = self.verb is Verb.REPLACE and (self.attribute, self.value) == ("tallyEnabled", "FALSE")
        emptied = self.verb is Verb.PUBLISH and not self.values
        return off or emptied or self.verb in (Verb.EXCLUDE, Verb.REMOVE)

    def happened(self, pool: Pool) -> bool:
        """For ``witness``: whether the entry is another than it was."""
        if self.verb is not Verb.WITNESS:
            return False
        entry = pool.read(self.dn, [self.attribute])
        return entry is not None and entry.text(self.attribute) != self.value

    def taking_back(self) -> tuple["Change", ...]:
        """What removes again what an ``add`` or ``include`` brought, or puts back what is known to be replaced."""
        if self.verb is Verb.ADD:
            return (Change(verb=Verb.REMOVE, dn=self.dn),)
        if self.verb is Verb.INCLUDE:
            return (Change(verb=Verb.EXCLUDE, dn=self.dn, attribute=self.attribute, value=self.value),)
        if self.before is not None:
            return (Change(verb=Verb.REPLACE, dn=self.dn, attribute=self.attribute, value=self.before),)
        return ()


def add(dn: str, content: Content) -> Change:
    """Enter something new."""
    return Change(verb=Verb.ADD, dn=dn, content=content)


def enabled(dn: str, *, to: bool) -> Change:
    """Switch an entry on or off."""
    return Change(verb=Verb.REPLACE, dn=dn, attribute="tallyEnabled", value="TRUE" if to else "FALSE")


def released(dn: str, *, to: bool) -> Change:
    """Say that somebody is no longer there for programs, or is again."""
    before = "" if to else "TRUE"
    return Change(verb=Verb.REPLACE, dn=dn, attribute="tallyReleased", value="TRUE" if to else "", before=before)


def device_state(dn: str, state: str) -> Change:
    """Say how a device fares."""
    return Change(verb=Verb.REPLACE, dn=dn, attribute="tallyState", value=str(state))


def member(group: str, dn: str, *, joins: bool) -> Change:
    """Put somebody into a group or take them out."""
    return Change(verb=Verb.INCLUDE if joins else Verb.EXCLUDE, dn=group, attribute="member", value=dn)


def publish(dn: str, attribute: str, values: Sequence[bytes]) -> Change:
    """Let an attribute hold exactly these."""
    kept = tuple(base64.b64encode(value).decode("ascii") for value in values)
    return Change(verb=Verb.PUBLISH, dn=dn, attribute=attribute, values=kept)


def last_days(dn: str, text: str, *, before: str) -> Change:
    """Say until when somebody's roles hold that end."""
    return Change(verb=Verb.REPLACE, dn=dn, attribute="tallyRolesUntil", value=text, before=before)


def witness(dn: str, pool: Pool) -> Change:
    """Note how the entry is now. The server gives each change of an entry a number of its own (entryCSN)."""
    entry = pool.read(dn, ["entryCSN"])
    return Change(verb=Verb.WITNESS, dn=dn, attribute="entryCSN", value=entry.text("entryCSN") if entry else "")


def dump(changes: Sequence[Change]) -> bytes:
    """As bytes for the journal."""
    # Field by field as it is: a copy of every value of thousands of entries takes longer than their text.
    return json.dumps([vars(change) for change in changes], ensure_ascii=False).encode()


def parse(body: bytes) -> tuple[Change, ...]:
    """From the journal's bytes."""
    return tuple(
        Change(**{**item, "verb": Verb(item["verb"]), "values": tuple(item.get("values", ()))})
        for item in json.loads(body)
    )
