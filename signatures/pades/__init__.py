# SPDX-License-Identifier: Apache-2.0
"""The craft of PDF signatures (PAdES, ETSI EN 319 142) on pyHanko; no network, no clock, no store.

``signing`` and ``inspection`` open files that somebody sent and run only inside a reading process; ``cms`` holds the
key and sees a digest, never a file; ``drawing`` makes the visible seal from names.
"""
