# SPDX-License-Identifier: Apache-2.0
"""Connections to the LDAP server: one per thread, reopened when they break, never following referrals.

A verb that finds its connection broken opens a new one and tries once more; every verb but one may be repeated.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.ldapobject import SimpleLDAPObject

from ..errors import DirectoryRefused, DirectoryUnavailable

T = TypeVar("T")
Attributes = Mapping[str, Sequence[bytes]]

SECOND = b"second"
_QUICK = 0.7
"""Seconds for which the better one of two servers is waited for."""
_DOWN = 2.0
"""Seconds for which a server that did not answer is not asked while there is another one."""

_BROKEN = (
    ldap.SERVER_DOWN,
    ldap.CONNECT_ERROR,
    ldap.TIMEOUT,
    ldap.UNAVAILABLE,
    ldap.BUSY,
    ldap.TIMELIMIT_EXCEEDED,
    ldap.LOCAL_ERROR,
)


@dataclass(frozen=True)
class Entry:
    """One entry as the server gave it."""

    dn: str
    attributes: Attributes

    def text(self, attribute: str) -> str:
        """The first value, empty if there is none or it may not be seen."""
        values = self.attributes.get(attribute) or [b""]
        return values[0].decode("utf-8")

    def texts(self, attribute: str) -> list[str]:
        """All values."""
        return [value.decode("utf-8") for value in self.attributes.get(attribute, ())]


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where the LDAP server is and how long it may take."""

    url: str
    timeout: timedelta
    ca_file: Path | None = None

    def open(self, *, most: float | None = None) -> SimpleLDAPObject:
        """A fresh connection, not yet bound; the server is first spoken to by the bind. ``most`` is in seconds."""
        seconds = self.timeout.total_seconds() if most is None else min(most, self.timeout.total_seconds())
        connection = ldap.initialize(self.url)
        connection.protocol_version = ldap.VERSION3
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, seconds)
        connection.set_option(ldap.OPT_TIMEOUT, seconds)
        if self.ca_file is not None:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self.ca_file))
            connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        return connection

    def check(self) -> None:
        """See that the server answers anything at all.

        Raises:
            DirectoryUnavailable: it does not.
        """
        connection = self.open()
        try:
            connection.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])
        except _BROKEN as error:
            raise DirectoryUnavailable from error
        except ldap.LDAPError:
            # A refusal is an answer: strangers may not even read the root entry.
            return
        finally:
            connection.unbind_s()

    def proves(self, dn: str, password: str) -> bool:
        """Whether the password opens this entry; on a connection of its own.

        Raises:
            DirectoryUnavailable: the server did not answer.
        """
        # A bind with an empty password succeeds as nobody (RFC 4513 section 5.1.2), so it is never sent.
        try:
            secret = password.encode("utf-8")
        except UnicodeEncodeError:
            return False
        if not secret or not dn or b"\0" in secret:
            return False
        connection = self.open()
        try:
            connection.simple_bind_s(dn, secret)
        except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX):
            return False
        except ldap.LDAPError as error:
            raise DirectoryUnavailable from error
        else:
            return True
        finally:
            connection.unbind_s()


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Two servers that hold the same; a file says which one is written to, and so is never behind."""

    second: Server
    # Holds ``second``, or anything else, or is not there yet.
    written: Path

    def is_second_written(self) -> bool:
        """Whether the second server is the one."""
        try:
            return self.written.read_bytes() == SECOND
        except OSError:
            return False


class Pool:
    """One bound connection per thread; of two servers to the one that is written to, or while that is down the other.

    A strict pool never goes to the other one: what is written goes to one at a time.
    """

    def __init__(
        self, server: Server, *, bind_dn: str, password: str, twins: Twins | None = None, strict: bool = False
    ) -> None:
        self._servers = (server, twins.second) if twins else (server,)
        self._twins = twins
        self._strict = strict
        self._bind_dn = bind_dn
        self._password = password.encode("ascii")
        self._local = threading.local()
        # Until when a server is not asked, by its place; what did not answer may be hanging.
        self._down = {0: 0.0, 1: 0.0}

    def check(self) -> None:
        """See that a server answers.

        Raises:
            DirectoryUnavailable: none does.
        """
        self._asked(lambda server: server.check())

    def proves(self, dn: str, password: str) -> bool:
        """Whether the password opens this entry; on a connection of its own.

        Raises:
            DirectoryUnavailable: no server answered.
        """
        return self._asked(lambda server: server.proves(dn, password))

    def _asked(self, ask: Callable[[Server], T]) -> T:
        *early, last = self._order()
        for place in early:
            try:
                return ask(self._servers[place])
            except DirectoryUnavailable:
                self._down[place] = time.monotonic() + _DOWN
        return ask(self._servers[last])

    def read(self, dn: str, attributes: Sequence[str], *, where: str = "(objectClass=*)") -> Entry | None:
        """One entry by its name, or nothing if there is none that we may see and that fits ``where``."""

        def work(connection: SimpleLDAPObject) -> Entry | None:
            try:
                found = connection.search_ext_s(dn, ldap.SCOPE_BASE, where, list(attributes))
            except (ldap.NO_SUCH_OBJECT, ldap.REFERRAL):
                # Whoever points elsewhere is not followed.
                return None
            return next(iter(_entries(found)), None)

        return self._with(work)

    def search(self, base: str, where: str, attributes: Sequence[str], *, limit: int) -> list[Entry]:
        """The first ``limit`` entries directly below ``base``, in the order in which they were entered."""

        def work(connection: SimpleLDAPObject) -> list[Entry]:
            # A first page is no error when more would follow, as a plain size limit is.
            page = SimplePagedResultsControl(criticality=True, size=limit, cookie="")
            try:
                message = connection.search_ext(base, ldap.SCOPE_ONELEVEL, where, list(attributes), serverctrls=[page])
                _, found, _, _ = connection.result3(message)
            except ldap.NO_SUCH_OBJECT:
                return []
            return _entries(found)

        return self._with(work)

    def walk(self, base: str, where: str, attributes: Sequence[str], *, page: int = 400) -> Iterator[Entry]:
        """Every entry directly below ``base``, a page at a time; on a connection of its own, which keeps the place.

        Raises:
            DirectoryUnavailable: the server does not answer, or not any more.
            DirectoryRefused: it does not answer that.
        """
        connection = None
        try:
            connection, _ = self._reached(self._order())
            control = SimplePagedResultsControl(criticality=True, size=page, cookie="")
            while True:
                message = connection.search_ext(
                    base, ldap.SCOPE_ONELEVEL, where, list(attributes), serverctrls=[control]
                )
                _, found, _, answered = connection.result3(message)
                yield from _entries(found)
                control.cookie = next((each.cookie for each in answered if each.controlType == control.controlType), "")
                if not control.cookie:
                    return
        except ldap.NO_SUCH_OBJECT:
            return
        except _BROKEN as error:
            raise DirectoryUnavailable from error
        except ldap.LDAPError as error:
            raise DirectoryRefused from error
        finally:
            if connection is not None:
                with suppress(ldap.LDAPError):
                    connection.unbind_s()

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Enter something; an entry of that name that is there already stays as it is."""
        content = [(name, [v.encode("utf-8") for v in values]) for name, values in attributes.items() if values]

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.add_s(dn, content)
            except ldap.ALREADY_EXISTS:
                return

        self._with(work)

    def remove(self, dn: str) -> None:
        """Remove an entry; none of that name is fine."""

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.delete_s(dn)
            except ldap.NO_SUCH_OBJECT:
                return

        self._with(work)

    def rename(self, dn: str, to: str) -> None:
        """Give an entry another name, perhaps elsewhere; if it is gone, there is nothing to name."""
        rdn, _, above = to.partition(",")

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.rename_s(dn, rdn, newsuperior=above)
            except ldap.NO_SUCH_OBJECT:
                return

        self._with(work)

    def replace(self, dn: str, attribute: str, values: Sequence[str]) -> None:
        """Set an attribute to exactly these values, perhaps none; if the entry is gone, there is nothing to set."""
        content = [value.encode("utf-8") for value in values]

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute, content)])
            except ldap.NO_SUCH_OBJECT:
                return

        self._with(work)

    def publish(self, dn: str, attribute: str, values: Sequence[bytes]) -> None:
        """Set an attribute to exactly these bytes, perhaps none; if the entry is gone, there is nothing to set."""

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute, list(values))])
            except ldap.NO_SUCH_OBJECT:
                return

        self._with(work)

    def include(self, dn: str, attribute: str, value: str) -> None:
        """Add one value; if it is there already, fine."""

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.modify_s(dn, [(ldap.MOD_ADD, attribute, [value.encode("utf-8")])])
            except ldap.TYPE_OR_VALUE_EXISTS:
                return

        self._with(work)

    def exclude(self, dn: str, attribute: str, value: str) -> None:
        """Remove one value; if it is not there, fine."""

        def work(connection: SimpleLDAPObject) -> None:
            try:
                connection.modify_s(dn, [(ldap.MOD_DELETE, attribute, [value.encode("utf-8")])])
            except (ldap.NO_SUCH_ATTRIBUTE, ldap.NO_SUCH_OBJECT):
                return

        self._with(work)

    def set_password(self, dn: str, password: str) -> bool:
        """Let the server hash and keep a password; False if its policy refuses (RFC 3062).

        Raises:
            DirectoryUnavailable: whether it happened is unknown. It is not tried again, for the server would find the
                new password among the old ones.
        """

        def work(connection: SimpleLDAPObject) -> bool:
            try:
                connection.passwd_s(dn, None, password.encode("utf-8"))
            except ldap.CONSTRAINT_VIOLATION:
                return False
            return True

        return self._with(work, tries=1)

    def close(self) -> None:
        """Drop this thread's connection."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.unbind_s()

    def _with(self, work: Callable[[SimpleLDAPObject], T], *, tries: int = 2) -> T:
        try:
            for _ in range(tries - 1):
                try:
                    return work(self._connection())
                except _BROKEN:
                    self._down[getattr(self._local, "place", 0)] = time.monotonic() + _DOWN
                    self._forget()
            return work(self._connection())
        except _BROKEN as error:
            self._forget()
            raise DirectoryUnavailable from error
        except ldap.LDAPError as error:
            raise DirectoryRefused from error

    def _connection(self) -> SimpleLDAPObject:
        connection = getattr(self._local, "connection", None)
        order = self._order()
        if connection is not None and self._local.place == order[0]:
            return connection
        if connection is not None:
            self._forget()
        connection, place = self._reached(order)
        self._local.connection, self._local.place = connection, place
        return connection

    def _reached(self, order: tuple[int, ...]) -> tuple[SimpleLDAPObject, int]:
        """A fresh connection to the best server that answers, and the place of that one."""
        for place in order[:-1]:
            try:
                return self._opened(place, most=_QUICK), place
            except (*_BROKEN, DirectoryUnavailable):
                self._down[place] = time.monotonic() + _DOWN
        return self._opened(order[-1]), order[-1]

    def _opened(self, place: int, *, most: float | None = None) -> SimpleLDAPObject:
        connection = self._servers[place].open(most=most)
        try:
            connection.simple_bind_s(self._bind_dn, self._password)
        except _BROKEN:
            raise
        except ldap.LDAPError as error:
            # Says nothing about what was to be done on the connection: that may be tried again.
            raise DirectoryUnavailable from error
        return connection

    def _order(self) -> tuple[int, ...]:
        """The places of the servers to be asked, best first."""
        if self._twins is None:
            return (0,)
        best = int(self._twins.is_second_written())
        if self._strict:
            return (best,)
        return (1 - best, best) if self._down[best] > time.monotonic() else (best, 1 - best)

    def _forget(self) -> None:
        try:
            self.close()
        except ldap.LDAPError:
            # The connection is broken; that it cannot say goodbye changes nothing.
            return


def _entries(found: Sequence[tuple[str | None, Any]]) -> list[Entry]:
    # Referrals come without a name and are not followed.
    return [Entry(dn, attributes) for dn, attributes in found if dn is not None]
