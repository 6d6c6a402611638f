# SPDX-License-Identifier: Apache-2.0
"""Evidence that one entry is in the log: checked here as an outsider would, step by step, and written as a C2SP proof.

The steps are kept so that the console can show each hash an outsider will compute with other software.
"""

import base64
import hashlib
from dataclasses import dataclass

from ..errors import LogDamaged


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
    leaf = hashlib.sha256(b"\0" + raw).digest()
    steps = _climb(leaf, inclusion, size)
    if (steps[-1].node if steps else leaf) != root:
        raise LogDamaged(index=inclusion.index, why="its bytes do not lead to the signed root")
    return Evidence(
        index=inclusion.index, leaf=leaf, steps=steps, size=size, root=root, checkpoint=inclusion.checkpoint
    )


def proof_text(inclusion: Inclusion) -> str:
    """The proof as a file, C2SP tlog-proof version 1."""
    lines = ["c2sp.org/tlog-proof@v1", f"index {inclusion.index}"]
    lines += [base64.b64encode(node).decode() for node in inclusion.path]
    return "\n".join([*lines, "", inclusion.checkpoint])


def _climb(leaf: bytes, inclusion: Inclusion, size: int) -> tuple[Step, ...]:
    """RFC 9162 section 2.1.3.2, keeping what it passes."""
    fn, sn, node = inclusion.index, size - 1, leaf
    steps = []
    for sibling in inclusion.path:
        left = fn & 1 == 1 or fn == sn
        if sn == 0 or len(sibling) != hashlib.sha256().digest_size:
            raise LogDamaged(index=inclusion.index, why="its proof is too long")
        if left:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        steps.append(Step(sibling=sibling, sibling_left=left, node=node))
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise LogDamaged(index=inclusion.index, why="its proof is too short")
    return tuple(steps)
