# SPDX-License-Identifier: Apache-2.0
"""What is held in memory between two lines, whatever else lies there already."""

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Held(Protocol):
    """Says how much."""

    def __call__(self, *, most: bool = False) -> int:
        """Bytes allocated since the beginning and held now, or at most so far."""
        ...


@contextmanager
def traced() -> Iterator[Held]:
    """Trace what is allocated inside; cycles that only wait for the collector are not held."""

    def held(*, most: bool = False) -> int:
        if not most:
            gc.collect()
        return tracemalloc.get_traced_memory()[most]

    gc.collect()
    tracemalloc.start()
    try:
        yield held
    finally:
        tracemalloc.stop()
