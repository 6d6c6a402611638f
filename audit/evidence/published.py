# SPDX-License-Identifier: Apache-2.0
"""The published log, as far as evidence needs it."""

from collections.abc import Callable
from typing import Protocol

from ..merkle import Checkpoint


class Published(Protocol):
    """What evidence needs of the published log; the log's reader fulfils it."""

    def note(self) -> str: ...  # noqa: D102 - as the reader says
    def witnessed(self) -> str | None: ...  # noqa: D102
    def opened(self, note: str) -> Checkpoint: ...  # noqa: D102
    def entries_bytes(self, start: int, count: int) -> list[bytes]: ...  # noqa: D102
    def inclusion_proofs(self, size: int) -> Callable[[int], list[bytes]]: ...  # noqa: D102
    def consistency_proof(self, old: int, new: int) -> list[bytes]: ...  # noqa: D102
