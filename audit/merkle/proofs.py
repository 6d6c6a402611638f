# SPDX-License-Identifier: Apache-2.0
"""Inclusion and consistency proofs (RFC 6962 section 2.1; verification as in RFC 9162 sections 2.1.3.2, 2.1.4.2).

A maker of proofs needs only the hashes of complete subtrees: ``node(level, index)`` is the hash of the leaves from
``index * 2**level`` up to the next multiple.
"""

from collections.abc import Callable, Sequence

from ..errors import ProofRefused
from .hashing import EMPTY_ROOT, node_hash

Node = Callable[[int, int], bytes]


def range_hash(node: Node, start: int, end: int) -> bytes:
    """The tree hash of the leaves from ``start`` up to ``end``; ``start`` is aligned as in a proof."""
    width = end - start
    if width == 0:
        return EMPTY_ROOT
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    split = _split(width)
    return node_hash(range_hash(node, start, start + split), range_hash(node, start + split, end))


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """Hashes from the leaf's sibling upward."""
    if not 0 <= index < size:
        raise ProofRefused(why="the index lies outside the tree")
    return _path(node, index, 0, size)


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """Hashes that lead from the tree of ``old`` leaves to the one of ``new`` leaves."""
    if not 0 <= old <= new:
        raise ProofRefused(why="the older tree is larger")
    if old in (0, new):
        return []
    return _subproof(node, old, 0, new, whole=True)


def verify_inclusion(*, leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that ``leaf`` is entry ``index`` of the tree with this size and root.

    Raises:
        ProofRefused: it is not proven.
    """
    if not 0 <= index < size:
        raise ProofRefused(why="the index lies outside the tree")
    fn, sn, running = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofRefused(why="the proof is too long")
        if fn & 1 or fn == sn:
            running = node_hash(sibling, running)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            running = node_hash(running, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofRefused(why="the proof is too short")
    if running != root:
        raise ProofRefused(why="the path leads to another root")


def verify_consistency(*, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the newer tree continues the older one.

    Raises:
        ProofRefused: it is not proven.
    """
    if not 0 <= old <= new:
        raise ProofRefused(why="the older tree is larger")
    if old in (0, new):
        if proof:
            raise ProofRefused(why="the proof is too long")
        if (old == 0 and old_root != EMPTY_ROOT) or (old == new and old_root != new_root):
            raise ProofRefused(why="same size, another root")
        return
    _climb(old, new, old_root, new_root, proof)


def _climb(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise ProofRefused(why="the proof is too short")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofRefused(why="the proof is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofRefused(why="the proof is too short")
    if first != old_root or second != new_root:
        raise ProofRefused(why="the path leads to another root")


def _path(node: Node, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(node, index, start, middle), range_hash(node, middle, end)]
    return [*_path(node, index, middle, end), range_hash(node, start, middle)]


def _subproof(node: Node, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [range_hash(node, start, end)]
    middle = start + _split(end - start)
    if old <= middle:
        return [*_subproof(node, old, start, middle, whole=whole), range_hash(node, middle, end)]
    return [*_subproof(node, old, middle, end, whole=False), range_hash(node, start, middle)]


def _split(width: int) -> int:
    return 1 << ((width - 1).bit_length() - 1)
