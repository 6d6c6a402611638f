# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what and who may decide about it; pure, so that every combination can be tested."""

from collections.abc import Set as AbstractSet

from ..models import Reader
from .errors import AboutYou, BadPurpose, BadScope, NotYourPower, OwnWarrant
from .models import KINDS, LEAST_PURPOSE, MOST_PURPOSE, Kind, Scope, Warrant, switch_of


def kind_of(name: str, scope: Scope) -> Kind:
    """The kind of this name, if it can be about this scope.

    Raises:
        BadScope: there is no such kind, or it cannot.
    """
    kind = KINDS.get(name)
    if kind is None or scope.kind not in kind.scopes:
        raise BadScope
    if name == "reopen" and switch_of(scope)[1] is not None:
        # Opened again is opened for good.
        raise BadScope
    return kind


def purpose_of(text: str) -> str:
    """A purpose as it is recorded.

    Raises:
        BadPurpose: missing, too short, too long, or with characters that no text has.
    """
    purpose = " ".join(text.split())
    if not LEAST_PURPOSE <= len(purpose) <= MOST_PURPOSE or not purpose.isprintable():
        raise BadPurpose(least=LEAST_PURPOSE, most=MOST_PURPOSE)
    return purpose


def may_ask(reader: Reader, kind: Kind, about: AbstractSet[str]) -> None:
    """Demand that this officer may ask.

    Raises:
        NotYourPower: none of the officer's roles asks for it.
        AboutYou: it is about the officer.
    """
    if not reader.subject or not reader.roles & kind.asks:
        raise NotYourPower
    if kind.never_own and reader.subject in about:
        raise AboutYou


def may_decide(reader: Reader, warrant: Warrant, about: AbstractSet[str]) -> None:
    """Demand that this officer may approve or refuse.

    Raises:
        OwnWarrant: the officer asked for it.
        NotYourPower: none of the officer's roles decides about it.
        AboutYou: it is about the officer.
    """
    if not reader.subject or reader.subject == warrant.asker:
        raise OwnWarrant
    if not reader.roles & warrant.means.decides:
        raise NotYourPower
    if reader.subject in about:
        raise AboutYou


def may_withdraw(reader: Reader, warrant: Warrant) -> None:
    """Demand that this officer may take it back: who asked, and everybody who could have decided.

    Raises:
        NotYourPower: neither.
    """
    if reader.subject != warrant.asker and not reader.roles & warrant.means.decides:
        raise NotYourPower
