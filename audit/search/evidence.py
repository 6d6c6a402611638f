# SPDX-License-Identifier: Apache-2.0
"""Evidence that one entry is in the log: checked here as an outsider would, step by step, and written as a C2SP proof.

The steps are kept so that the console can show each hash an outsider will compute with other software.
"""

import base64
from dataclasses import dataclass

from ..errors import LogDamaged, ProofRefused
from ..merkle import leaf_hash, verify_inclusion
from ..merkle.hashing import node_hash


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """An inclusion proof (RFC 6962 section 2.1.1) and the checkpoint it leads to; nothing in it has been checked."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One hash on the way up: the sibling, on which side it stands, and the node both make."""

    sibling: bytes
    sibling_left: bool
    node: bytes


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A proof that was checked: the entry's bytes lead to the root that the log signed."""

    index: int
    leaf: bytes
    steps: tuple[Step, ...]
    size: int
    root: bytes
    checkpoint: str


def check(raw: bytes, inclusion: Inclusion, *, size: int, root: bytes) -> Evidence:
    """Lead the entry's bytes to the root of a checkpoint that was verified before.

    Raises:
        LogDamaged: they do not lead there.
    """
    index, leaf = inclusion.index, leaf_hash(raw)
    try:
        verify_inclusion(leaf=leaf, index=index, size=size, root=root, proof=inclusion.path)
    except ProofRefused as error:
        raise LogDamaged(index=index, why="its bytes do not lead to the signed root") from error
    return Evidence(
        index=index,
        leaf=leaf,
        steps=_climb(leaf, inclusion, size),
        size=size,
        root=root,
        checkpoint=inclusion.checkpoint,
    )


def proof_text(inclusion: Inclusion) -> str:
    """The proof as a file, C2SP tlog-proof version 1."""
    lines = ["c2sp.org/tlog-proof@v1", f"index {inclusion.index}"]
    lines += [base64.b64encode(node).decode() for node in inclusion.path]
    return "\n".join([*lines, "", inclusion.checkpoint])


def _climb(leaf: bytes, inclusion: Inclusion, size: int) -> tuple[Step, ...]:
    """The hashes that a proof which holds passes on its way up (RFC 9162 section 2.1.3.2)."""
    place, last, node = inclusion.index, size - 1, leaf
    steps = []
    for sibling in inclusion.path:
        left = place & 1 == 1 or place == last
        node = node_hash(sibling, node) if left else node_hash(node, sibling)
        steps.append(Step(sibling=sibling, sibling_left=left, node=node))
        # Levels on which the last node has no neighbour are passed without a hash.
        while left and place & 1 == 0 and place != 0:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    return tuple(steps)
