# SPDX-License-Identifier: Apache-2.0
"""Reading processes: the only places where a file that somebody sent is opened.

A reading process is a fresh Python without secrets, network peers or files to write, with bounded memory and
processor time. Corrupting one buys an attacker wrong answers about documents until it is replaced, nothing else.
Parent and child speak length-prefixed JSON and bytes (``frames``), never pickles.
"""

from .pool import ReaderPool as ReaderPool
