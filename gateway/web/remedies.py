# SPDX-License-Identifier: Apache-2.0
"""What somebody who was denied could do, each in words and where it can be done: for pages and for programs."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from core.errors import N_
from core.web import _

MOST = 8
_ONE = re.compile(r"([a-z_]{1,20})(?:=([A-Za-z0-9._-]{1,80}))?", re.ASCII)
_LEVELS = frozenset("123")
_NETWORKS = {
    "external": N_("the external network"),
    "internal": N_("the internal network"),
    "management": N_("the management network"),
    "internet": N_("the internet"),
}
_WORDS = {
    "login": N_("Log in"),
    "step_up": N_("Log in with your card"),
    "network": N_("Use a workplace in %(network)s"),
    "device": N_("Enrol a device, or use one that is enrolled and in order"),
    "mandate": N_("Choose the organisation you act for"),
    "own_business": N_("Act for yourself"),
    "purpose": N_("State what for: this is opened for a stated purpose only"),
}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One remedy; ``address`` is where it can be done, empty where no page does it."""

    kind: str
    value: str
    words: str
    address: str


def read(header: str, *, back: str, enrol: str) -> tuple[Offer, ...]:
    """What the decision said, once each; what cannot be read is left out.

    ``back`` is the page that was asked for, ``enrol`` the address where devices get their certificates.
    """
    found: dict[str, Offer] = {}
    for word in header.split(" ")[:MOST]:
        one = _ONE.fullmatch(word)
        if one is None or one[1] not in _WORDS or (one[1] == "step_up" and one[2] not in _LEVELS):
            continue
        kind, value = one[1], one[2] or ""
        # Which organisation is chosen at the sign-on, among those that gave a mandate.
        name = word if kind == "network" else kind
        words = _(_WORDS[kind]) % {"network": _(_NETWORKS[value]) if value in _NETWORKS else value}
        found.setdefault(name, Offer(kind=kind, value=value, words=words, address=_address(kind, value, back, enrol)))
    return tuple(found.values())


def _address(kind: str, value: str, back: str, enrol: str) -> str:
    match kind:
        case "login" | "own_business":
            return f"/.tallygate/login?{urlencode({'to': back})}"
        case "step_up":
            return f"/.tallygate/login?{urlencode({'to': back, 'acr': value})}"
        case "mandate":
            return f"/.tallygate/login?{urlencode({'to': back, 'acting': 'choose'})}"
        case "device":
            return enrol
        case _:
            return ""
