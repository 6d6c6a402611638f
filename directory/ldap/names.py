# SPDX-License-Identifier: Apache-2.0
"""Names and filters in which every value from outside is escaped, and NUL refused (RFC 4514, RFC 4515)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from ldap.dn import escape_dn_chars
from ldap.filter import escape_filter_chars

from ..errors import BadName

CHANGES = "cn=changes"
"""The suffix under which slapd keeps its own notes of what was changed."""


@dataclass(frozen=True)
class Tree:
    """Where everything stands below the suffix."""

    suffix: str

    def branch(self, name: str) -> str:
        """One of the organisational units."""
        return f"ou={name},{self.suffix}"

    def person(self, subject: str) -> str:
        """A person's name in the tree."""
        return f"tallySubject={rdn_value(subject)},{self.branch('people')}"

    def organisation(self, identifier: str) -> str:
        """An organisation's name in the tree."""
        return f"tallyId={rdn_value(identifier)},{self.branch('organisations')}"

    def device(self, identifier: str) -> str:
        """A device's name in the tree."""
        return f"tallyId={rdn_value(identifier)},{self.branch('devices')}"

    def mandate(self, identifier: str) -> str:
        """A mandate's name in the tree."""
        return f"tallyId={rdn_value(identifier)},{self.branch('mandates')}"

    def entry(self, branch: str, identifier: str) -> str:
        """The name in the tree of what has an identifier: a department, a post, that it is held, a grant."""
        return f"tallyId={rdn_value(identifier)},{self.branch(branch)}"

    def offer(self, name: str) -> str:
        """The name in the tree of a service that an agency offers."""
        return f"cn={rdn_value(name)},{self.branch('offers')}"

    def role(self, role: str) -> str:
        """The group of those who hold a role."""
        return f"cn={rdn_value(role)},{self.branch('roles')}"

    def portal(self, name: str) -> str:
        """A portal's name in the tree."""
        return f"cn={rdn_value(name)},{self.branch('portals')}"

    def authority(self, name: str) -> str:
        """The entry of one of the authorities that certify."""
        return f"cn={rdn_value(name)},{self.branch('authorities')}"

    def service(self, role: str) -> str:
        """As whom one of our processes binds."""
        return f"cn={rdn_value(role)},{self.branch('services')}"


def rdn_value(text: str) -> str:
    """A value as it may stand in a distinguished name.

    Raises:
        BadName: empty, with a NUL, or no text at all.
    """
    return str(escape_dn_chars(_plain(text)))


def equal(attribute: str, value: str) -> str:
    """The filter ``attribute=value``.

    Raises:
        BadName: empty, with a NUL, or no text at all.
    """
    return f"({attribute}={_assertion(value)})"


def at_least(attribute: str, number: int) -> str:
    """The filter ``attribute>=number``."""
    return f"({attribute}>={int(number)})"


def from_day(attribute: str, day: date) -> str:
    """The filter for a time not before this day began, in UTC."""
    return f"({attribute}>={day:%Y%m%d}000000Z)"


def beyond(attribute: str, number: int) -> str:
    """The filter for more than ``number``, held against each entry that other filters leave.

    An index would have to read, and put together, every number there is beyond it.
    """
    return f"(!({attribute}<={int(number)}))"


def not_over(attribute: str, day: date) -> str:
    """The filter for a last day that is not over on this day, held against each entry that other filters leave."""
    return f"(!({attribute}<={day - timedelta(days=1):%Y%m%d}000000Z))"


def until_day(attribute: str, day: date) -> str:
    """The filter for a time not after this day began, in UTC."""
    return f"({attribute}<={day:%Y%m%d}000000Z)"


def contains(attributes: tuple[str, ...], text: str) -> str:
    """The filter that finds ``text`` anywhere in one of the attributes.

    Raises:
        BadName: empty, with a NUL, or no text at all.
    """
    inner = "".join(f"({attribute}=*{_assertion(text)}*)" for attribute in attributes)
    return f"(|{inner})"


def part(attribute: str, text: str, *, starts: bool = False, ends: bool = False) -> str:
    """The filter that finds ``text`` at the beginning, at the end, or anywhere.

    Raises:
        BadName: empty, with a NUL, or no text at all.
    """
    return f"({attribute}={'' if starts else '*'}{_assertion(text)}{'' if ends else '*'})"


def any_of(attribute: str, values: Iterable[str]) -> str:
    """The filter that finds one of these values; of no values none is found.

    Raises:
        BadName: one is empty, has a NUL, or is no text at all.
    """
    return f"(|{''.join(equal(attribute, value) for value in values)})"


def every(*filters: str) -> str:
    """All of these."""
    return f"(&{''.join(filters)})"


def _assertion(value: str) -> str:
    return str(escape_filter_chars(_plain(value)))


def _plain(text: str) -> str:
    # A lone surrogate is no character and has no UTF-8 form.
    if not text or "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise BadName
    return text
