# SPDX-License-Identifier: Apache-2.0
"""Every endpoint has a guard or stands on the public list; an application with a bare endpoint does not start.

| mark              | who gets in                                                              | errors as |
| ----------------- | ------------------------------------------------------------------------ | --------- |
| ``public(why)``   | anybody; the reason is part of the code and of the tested public list    | page      |
| ``own(why)``      | the view checks credentials of its own (token endpoint, login form)      | page      |
| ``peer(*roles)``  | these roles of the site, by pair secret                                  | problem   |
| ``person(*roles)``| whoever the gateway let through with one of these directory roles        | page      |

``person(..., programs=True)`` lets in programs too: what each of them may do, the view asks of its service.

``errors`` may be given to any mark: ``"page"``, ``"problem"`` or ``"oauth"``. Requests that change something and
carry a browser's cookie need a CSRF token (``person`` and ``public``/``own`` pages); ``peer``, ``problem`` and
``oauth`` endpoints take no cookie and need none.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, g, request

from ..calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from ..clock import Clock
from ..errors import N_, Forbidden, NotFound, Unauthenticated
from ..identity import HEADER, Identity, IdentityVerifier

V = TypeVar("V", bound=Callable[..., Any])
Face = Literal["page", "problem", "oauth"]
_MARK = "__tallygate_guard__"
# What WSGI calls the two headers.
_ENVIRON = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in (CALLER_HEADER, SECRET_HEADER)}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RolesConflict(Forbidden):
    """Separation of duties: whoever holds two powers that must be two people's can use none of them."""

    code = "roles_conflict"
    message = N_("You hold two roles that nobody may hold together. None of them can be used until one is withdrawn.")


@dataclass(frozen=True)
class Mark:
    """What stands on one endpoint."""

    kind: Literal["public", "own", "peer", "person"]
    face: Face
    # The reason for public and own, else empty.
    why: str = ""
    # Roles: of the site for peer, of the directory for person (empty: any identified person).
    names: frozenset[str] = frozenset()
    # Lowest assurance for person.
    assurance: int = 0
    # For person: whether programs are let in as well, which have no roles.
    programs: bool = False


class Guard:
    """Marks views when blueprints are made, and checks every request against the mark."""

    def __init__(
        self,
        *,
        clock: Clock,
        pairs: PairSecrets | None = None,
        verifier: IdentityVerifier | None = None,
        apart: Collection[Collection[str]] = (),
    ) -> None:
        """``apart`` are sets of roles of which nobody holds two; whoever does all the same uses none of them."""
        self._apart = [frozenset(each) for each in apart]
        self._clock = clock
        self._pairs = pairs or PairSecrets({})
        self._verifier = verifier

    def public(self, why: str, *, errors: Face = "page") -> Callable[[V], V]:
        """Let anybody in; say why that is right."""
        return _marking(Mark("public", errors, why=why))

    def own(self, why: str, *, errors: Face = "page") -> Callable[[V], V]:
        """The view authenticates by its own means; say which."""
        return _marking(Mark("own", errors, why=why))

    def peer(self, *callers: str) -> Callable[[V], V]:
        """Let these roles of the site in."""
        return _marking(Mark("peer", "problem", names=frozenset(callers)))

    def person(
        self, *roles: str, assurance: int = 1, errors: Face = "page", programs: bool = False
    ) -> Callable[[V], V]:
        """Let in whom the gateway identified, holding one of ``roles`` (any person if none is named).

        With ``programs`` also a program; it has no roles, so the view itself must ask what it may do.
        """
        return _marking(Mark("person", errors, names=frozenset(roles), assurance=assurance, programs=programs))

    def enforce(self, app: Flask, protect_from_csrf: Callable[[], None]) -> None:
        """Check all marks now, and every request from now on.

        Raises:
            RuntimeError: an endpoint has no mark.
        """
        bare = sorted(name for name in app.view_functions if name != "static" and mark_of(app, name) is None)
        if bare:
            raise RuntimeError(f"endpoints without a guard: {', '.join(bare)}")

        @app.before_request
        def check() -> None:
            mark = mark_of(app, request.endpoint) if request.endpoint else None
            if mark is None:
                if request.endpoint != "static":
                    raise request.routing_exception or NotFound()
                return
            if mark.kind == "peer":
                g.caller = self._peer(mark)
            elif mark.kind == "person":
                g.identity = self._person(mark)
            if request.method not in SAFE_METHODS and mark.kind != "peer" and mark.face == "page":
                protect_from_csrf()

    def caller_of(self, environ: Mapping[str, Any], callers: Collection[str]) -> str:
        """Which of these roles is calling, for an endpoint that also answers before Flask does.

        Raises:
            Unauthenticated: none of the site's roles is.
            Forbidden: another one is.
        """
        name = self._pairs.caller(environ.get(_ENVIRON[CALLER_HEADER]), environ.get(_ENVIRON[SECRET_HEADER]))
        if name not in callers:
            raise Forbidden
        return name

    def _peer(self, mark: Mark) -> str:
        return self.caller_of(request.environ, mark.names)

    def visitor(self) -> Identity | None:
        """The person whom the gateway names on a page that is open to everybody, if it names one."""
        try:
            found = self._identified()
        except Unauthenticated:
            return None
        return found if found.kind == "person" else None

    def _identified(self) -> Identity:
        if self._verifier is None:
            raise Unauthenticated
        return self._verifier.verify(
            request.headers.get(HEADER),
            method=request.method,
            path=request.environ.get("REQUEST_URI") or request.full_path.rstrip("?"),
            at=self._clock.now(),
        )

    def _person(self, mark: Mark) -> Identity:
        found = self._identified()
        if found.kind == "client" and mark.programs and found.assurance >= mark.assurance:
            return found
        if found.kind != "person" or found.assurance < mark.assurance:
            raise Forbidden
        if mark.names and not mark.names & found.roles:
            raise Forbidden
        if mark.names and any(len(each & found.roles) > 1 for each in self._apart):
            raise RolesConflict
        return found


def mark_of(app: Flask, endpoint: str | None) -> Mark | None:
    """The mark on an endpoint, for the guard and for the test that lists them all."""
    view = app.view_functions.get(endpoint or "")
    return getattr(view, _MARK, None)


def identity() -> Identity:
    """Whom the gateway identified for this request; only behind ``person``."""
    found: Identity = g.identity
    return found


def caller() -> str:
    """The role that is calling; only behind ``peer``."""
    name: str = g.caller
    return name


def face() -> Face:
    """How errors of the present request are shown."""
    mark = mark_of(current_app, request.endpoint)
    return mark.face if mark else "page"


def _marking(mark: Mark) -> Callable[[V], V]:
    def decorate(view: V) -> V:
        setattr(view, _MARK, mark)
        return view

    return decorate
