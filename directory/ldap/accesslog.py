# SPDX-License-Identifier: Apache-2.0
"""What slapd itself says was changed, by whomever (slapo-accesslog(5)): read, compared with our changes, turned round.

Passwords and their history are hidden from every reader of that log. That a password was set still shows, because the
server notes when (``pwdChangedTime``).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from .changes import Change, Verb, add, member, publish
from .connection import Entry, Pool
from .names import CHANGES

_ATTRIBUTES = (
    "reqStart", "reqType", "reqAuthzID", "reqDN", "reqMod", "reqOld", "reqNewRDN", "reqNewSuperior", "entryUUID",
    "entryCSN",
)  # fmt: skip
_MOD = re.compile(r"([^:]+):([-+=#])(?: (.*))?", re.DOTALL)
_BINARY = re.compile(rb"([A-Za-z0-9.-]+;binary:[-+=#]? )(.+)", re.DOTALL)
_BINARY_NAME = ";binary"
# Stands for a value that the log does not show.
_HIDDEN = "…"
_PASSWORD, _PASSWORD_TIME = "userpassword", "pwdchangedtime"
# What the server writes by itself with every change.
_BOOKKEEPING = frozenset({
    "structuralobjectclass", "entryuuid", "creatorsname", "createtimestamp", "entrycsn", "modifiersname",
    "modifytimestamp", "pwdhistory", "memberof", "contextcsn", _PASSWORD, _PASSWORD_TIME,
})  # fmt: skip


@dataclass(frozen=True)
class Mod:
    """One line of a change: ``+`` adds the value, ``-`` removes it, ``=`` sets it; no value stands for all."""

    attribute: str
    act: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One change as the server saw it."""

    # Identifier of the server's own note of it.
    id: str
    # Where the note stands in the log, and the change's own number.
    place: str
    csn: str
    # Name in the tree of whoever did it.
    by: str
    verb: str
    dn: str
    mods: tuple[Mod, ...] = ()
    # Attribute and value before.
    old: tuple[tuple[str, str], ...] = ()
    # New name of a renamed entry.
    to: str = ""

    @property
    def changes_nothing(self) -> bool:
        """Everything was set to what it was."""
        before = {(name.lower(), value) for name, value in self.old}
        return self.verb == "modify" and all(
            mod.act == "=" and (mod.attribute.lower(), mod.value) in before for mod in self._told()
        )

    @property
    def second(self) -> bool:
        """Whether it was made at the second provider; its number says where."""
        return self.csn.partition("#")[2].partition("#")[2].startswith("002#")

    def trace(self) -> str:
        """By this it is compared with our own changes."""
        return _trace(self.verb, self.dn, ((mod.attribute, mod.act, mod.value) for mod in self._told()), self.to)

    @property
    def names(self) -> str:
        """The attributes it touched."""
        return " ".join(sorted({mod.attribute for mod in self._told()}))

    @property
    def touches_password(self) -> bool:
        """What was there before cannot be brought back."""
        return self.verb == "delete" or any(mod.attribute.lower() == _PASSWORD for mod in self._told())

    @property
    def before_text(self) -> str:
        """What was there, line by line."""
        touched = {mod.attribute.lower() for mod in self._told()}
        return "\n".join(
            f"{name}: {value}"
            for name, value in self.old
            if name.lower() not in _BOOKKEEPING and (self.verb == "delete" or name.lower() in touched)
        )

    @property
    def after_text(self) -> str:
        """What was put there or taken from there, line by line."""
        renamed = [f"dn: {self.to}"] if self.to else []
        return "\n".join([*renamed, *(f"{mod.attribute} {mod.act} {mod.value}".rstrip() for mod in self._told())])

    def before(self) -> dict[str, str]:
        """What each touched attribute held, values line by line."""
        touched = {mod.attribute.lower() for mod in self._told()}
        return _lines(
            (name, value)
            for name, value in self.old
            if name.lower() not in _BOOKKEEPING and (self.verb == "delete" or name.lower() in touched)
        )

    def after(self) -> dict[str, str]:
        """What each touched attribute holds since, and the entry's new name if it has one."""
        if self.verb == "delete":
            return {}
        held: dict[str, list[str]] = {name: value.split("\n") for name, value in self.before().items()}
        replaced: set[str] = set()
        for mod in self._told():
            values = held.setdefault(mod.attribute, [])
            if (mod.act == "=" and mod.attribute not in replaced) or (mod.act == "-" and not mod.value):
                values.clear()
                replaced.add(mod.attribute)
            if mod.act == "-":
                held[mod.attribute] = [value for value in values if value != mod.value]
            else:
                values.append(mod.value or _HIDDEN)
        return _lines((name, value) for name, values in held.items() for value in values) | (
            {"dn": self.to} if self.to else {}
        )

    def value(self, attribute: str) -> str:
        """The first value of an attribute that it speaks of, now or before."""
        told = [(mod.attribute, mod.value) for mod in self.mods] + list(self.old)
        return next((value for name, value in told if name.lower() == attribute.lower() and value), "")

    def undoing(self, *, no_password: str) -> tuple[Change, ...]:
        """The changes that bring back what was before; a password that was overwritten is gone, and nobody's."""
        if self.verb == "add":
            return (Change(verb=Verb.REMOVE, dn=self.dn),)
        if self.verb == "delete":
            return self._entered_again(no_password)
        if self.verb == "modrdn":
            return (Change(verb=Verb.RENAME, dn=self.to, value=self.dn),)
        made: list[Change] = []
        for mod in reversed(self._told()):
            made += self._turned_round(mod, no_password)
        return tuple(made)

    def stands(self, pool: Pool) -> bool:
        """Whether everything is still as it left it; of a password nobody can tell."""
        names = [mod.attribute for mod in self._told()]
        entry = pool.read(self.to or self.dn, names or ["entryCSN"])
        if entry is None or self.verb == "delete":
            return (entry is None) is (self.verb == "delete")
        return self.verb != "modify" or all(_holds(entry, mod) for mod in self._told())

    def _told(self) -> list[Mod]:
        told = [mod for mod in self.mods if mod.attribute.lower() not in _BOOKKEEPING]
        if self.verb == "modify" and any(mod.attribute.lower() == _PASSWORD_TIME for mod in self.mods):
            told.append(Mod("userPassword", "=", ""))
        return told

    def _entered_again(self, no_password: str) -> tuple[Change, ...]:
        content: dict[str, list[str]] = {}
        for name, value in self.old:
            if name.lower() not in _BOOKKEEPING and not _is_binary(name):
                content.setdefault(name, []).append(value)
        groups = [value for name, value in self.old if name.lower() == "memberof"]
        if "uid" in content:
            content["userPassword"] = [no_password]
        return (add(self.dn, content), *(member(group, self.dn, joins=True) for group in groups))

    def _turned_round(self, mod: Mod, no_password: str) -> list[Change]:
        if mod.attribute.lower() == _PASSWORD:
            return [Change(verb=Verb.REPLACE, dn=self.dn, attribute=mod.attribute, value=no_password)]
        if _is_binary(mod.attribute):
            # Whoever publishes there looks once a day whether everything stands as it should.
            return [publish(self.dn, mod.attribute, ())]
        if mod.act == "+":
            return [Change(verb=Verb.EXCLUDE, dn=self.dn, attribute=mod.attribute, value=mod.value)]
        before = [value for name, value in self.old if name.lower() == mod.attribute.lower()]
        if mod.act == "-":
            back = [mod.value] if mod.value else before
            return [Change(verb=Verb.INCLUDE, dn=self.dn, attribute=mod.attribute, value=value) for value in back]
        first = Change(verb=Verb.REPLACE, dn=self.dn, attribute=mod.attribute, value=before[0] if before else "")
        rest = [Change(verb=Verb.INCLUDE, dn=self.dn, attribute=mod.attribute, value=value) for value in before[1:]]
        return [first, *rest]


def trace(change: Change) -> str:
    """How one of our changes will look in the server's log; empty if it leaves nothing there."""
    dn = change.dn
    match change.verb:
        case Verb.ADD:
            values = [(name, "+", value) for name, found in change.content.items() for value in found]
            return _trace("add", dn, [mod for mod in values if mod[0].lower() not in _BOOKKEEPING])
        case Verb.REMOVE:
            return _trace("delete", dn, ())
        case Verb.RENAME:
            return _trace("modrdn", dn, (), change.value)
        case Verb.WITNESS:
            return _trace("modify", dn, [("userPassword", "=", "")])
        case Verb.REPLACE:
            value = "" if change.attribute.lower() == _PASSWORD else change.value
            return _trace("modify", dn, [(change.attribute, "=", value)])
        case Verb.INCLUDE | Verb.EXCLUDE:
            act = "+" if change.verb is Verb.INCLUDE else "-"
            return _trace("modify", dn, [(change.attribute, act, change.value)])
        case Verb.PUBLISH:
            texts = [_digest(value) for value in change.published] or [""]
            return _trace("modify", dn, [(change.attribute, "=", text) for text in texts])


def read(pool: Pool, *, after: str, limit: int) -> list[Seen]:
    """The next changes after the one with this number, in order.

    The server numbers changes while it carries them out, one after the other. When one was asked for (``reqStart``)
    says nothing about their order: whoever has to wait for others is noted after them.
    """
    since = f"(entryCSN>={after})(!(entryCSN={after}))" if after else ""
    found = pool.search(CHANGES, f"(&(objectClass=auditWriteObject){since})", _ATTRIBUTES, limit=limit)
    changes = []
    for seen in map(_seen, found):
        # What the server does beside a change has no number of its own.
        after = seen.csn or after
        changes.append(replace(seen, csn=after))
    return changes


def forgotten_until(pool: Pool) -> str:
    """The number of the newest change that the server has cleared from its log; empty if there is no log yet."""
    entry = pool.read(CHANGES, ["minCSN"])
    return entry.text("minCSN").partition(";")[0] if entry else ""


def dump(seen: Seen) -> bytes:
    """As bytes, to be kept."""
    return json.dumps(asdict(seen), ensure_ascii=False).encode("utf-8")


def parse(body: bytes) -> Seen:
    """From what was kept."""
    kept = json.loads(body)
    mods = tuple(Mod(**mod) for mod in kept.pop("mods"))
    return Seen(mods=mods, old=tuple((name, value) for name, value in kept.pop("old")), **kept)


def _seen(entry: Entry) -> Seen:
    verb, dn = entry.text("reqType"), entry.text("reqDN")
    above = entry.text("reqNewSuperior") or dn.partition(",")[2]
    return Seen(
        id=entry.text("entryUUID"),
        place=entry.text("reqStart"),
        csn=entry.text("entryCSN"),
        by=entry.text("reqAuthzID"),
        verb=verb,
        dn=dn,
        mods=tuple(
            Mod(found[1], found[2], found[3] or "") for found in map(_MOD.fullmatch, _texts(entry, "reqMod")) if found
        ),
        old=tuple(
            (name, value.removeprefix(" "))
            for name, _, value in (line.partition(":") for line in _texts(entry, "reqOld"))
        ),
        to=f"{entry.text('reqNewRDN')},{above}" if verb == "modrdn" else "",
    )


def _texts(entry: Entry, attribute: str) -> list[str]:
    return [_text(value) for value in entry.attributes.get(attribute, ())]


def _text(line: bytes) -> str:
    # What somebody wrote who is no friend may be no text; a certificate never is, and is told by its digest.
    if found := _BINARY.fullmatch(line):
        line = found[1] + _digest(found[2]).encode("ascii")
    return line.decode("utf-8", "backslashreplace")


def _digest(value: bytes) -> str:
    return f"sha256 {hashlib.sha256(value).hexdigest()}"


def _holds(entry: Entry, mod: Mod) -> bool:
    if mod.attribute.lower() == _PASSWORD:
        return True
    names = {name.lower(): name for name in entry.attributes}
    found = entry.attributes[names[mod.attribute.lower()]] if mod.attribute.lower() in names else ()
    values = [_digest(value) if _is_binary(mod.attribute) else value.decode("utf-8") for value in found]
    if mod.act == "-":
        return mod.value not in values if mod.value else not values
    return mod.value in values if mod.value else not values


def _is_binary(attribute: str) -> bool:
    return attribute.lower().endswith(_BINARY_NAME)


def _lines(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: "\n".join(values) for name, values in found.items()}


def _trace(verb: str, dn: str, mods: Iterable[Sequence[str]], to: str = "") -> str:
    lines = sorted([name.lower(), act, value] for name, act, value in mods)
    spelt = json.dumps([verb, dn.lower(), lines, to.lower()], ensure_ascii=False)
    return hashlib.sha256(spelt.encode("utf-8")).hexdigest()
