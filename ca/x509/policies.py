# SPDX-License-Identifier: Apache-2.0
"""The valid policy tree of RFC 5280 section 6.1: grown by what certificates state, mapped, and asked at the end.

A tree can double with every certificate; one that does is refused before it costs anything (CVE-2023-0464).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from . import der

ANY = "2.5.29.32.0"
_MOST_NODES = 512
_LAST = 0x80


@dataclass(eq=False)
class _Node:
    policy: str
    expected: set[str]
    parent: "_Node | None"
    children: "list[_Node]" = field(default_factory=list)

    def domain(self) -> str:
        """The policy, in the words of whoever the path begins with, that led here."""
        node = self
        while node.parent is not None and node.parent.policy != ANY:
            node = node.parent
        return node.policy


class PolicyTree:
    """Knows only its lowest level and the way up; false once it is empty."""

    def __init__(self) -> None:
        self._level = [_Node(ANY, {ANY}, None)]

    def __bool__(self) -> bool:
        return bool(self._level)

    def grow(self, stated: Collection[str] | None, *, may_be_any: bool) -> None:
        """Section 6.1.3 (d) and (e): one level more, of what a certificate states.

        Raises:
            ValueError: it grows beyond all use.
        """
        above, below = self._level, list[_Node]()
        if stated is None or not above:
            self._level = []
            return
        for policy in sorted(set(stated) - {ANY}):
            parents = [node for node in above if policy in node.expected]
            parents = parents or [node for node in above if node.policy == ANY]
            below += [_Node(policy, {policy}, parent) for parent in parents]
        if ANY in stated and may_be_any:
            for node in above:
                taken = {child.policy for child in below if child.parent is node}
                below += [_Node(policy, {policy}, node) for policy in sorted(node.expected - taken)]
        if len(below) > _MOST_NODES:
            raise ValueError("a policy tree beyond all use")
        self._level = below

    def map(self, pairs: Sequence[tuple[str, str]], *, allowed: bool) -> None:
        """Section 6.1.4 (b): an issuer's policies in the words of its subjects."""
        meant: dict[str, set[str]] = {}
        for issuers, subjects in pairs:
            meant.setdefault(issuers, set()).add(subjects)
        if not allowed:
            self._level = [node for node in self._level if node.policy not in meant]
            return
        added: list[_Node] = []
        for policy, expected in meant.items():
            found = [node for node in self._level if node.policy == policy]
            for node in found:
                node.expected = set(expected)
            wild = [] if found else [node for node in self._level if node.policy == ANY]
            added += [_Node(policy, set(expected), node.parent) for node in wild]
        self._level += added

    def holds(self, wanted: Collection[str]) -> bool:
        """Section 6.1.5 (g): whether something that is wanted is left."""
        return any(ANY in wanted or node.policy == ANY or node.domain() in wanted for node in self._level)


def read_mappings(encoded: bytes) -> list[tuple[str, str]]:
    """The extension policyMappings.

    Raises:
        NotDer: it is none.
    """
    outer = der.Reader(encoded)
    each, found = outer.inside(0x30), list[tuple[str, str]]()
    outer.end()
    while each.more:
        pair = each.inside(0x30)
        found.append((_dotted(pair), _dotted(pair)))
        pair.end()
    return found


def _dotted(reader: der.Reader) -> str:
    content = der.Reader(reader.identifier()).content(0x06)
    arcs, value = list[int](), 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < _LAST:
            arcs.append(value)
            value = 0
    first = min(2, arcs[0] // 40)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))
