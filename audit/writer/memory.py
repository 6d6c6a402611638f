# SPDX-License-Identifier: Apache-2.0
"""Memory that was freed and that the C library keeps: given back to the machine when there is nothing else to do."""

import ctypes


def give_back() -> bool:
    """Give back every page on which nothing lives; whether there was one, or False where the C library has no such way.

    Takes a few milliseconds in which other threads that need memory may wait.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(trim and trim(0))
