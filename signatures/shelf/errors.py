# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with documents that are kept.

TallygateError
├── NotFound
│   └── NoSuchDocument      nobody left it here, it was somebody else, or its time is over
├── Conflict
│   └── ShelfFull           this owner, or the whole shelf, holds as much as it may
└── Internal
    └── ShelfUnreadable     the file or the key is not what was kept
"""

from core.errors import N_, Conflict, Internal, NotFound


class NoSuchDocument(NotFound):
    """Not here, or not theirs, or over: nobody is told which."""

    code = "no_such_shelved_document"
    message = N_("This document is not here. It may have expired.")


class ShelfFull(Conflict):
    """As much is kept as may be kept."""

    code = "shelf_full"
    message = N_("There is no room for another document. Please remove one first, or wait until one expires.")


class ShelfUnreadable(Internal):
    """What lies on the disk is not what was kept."""

    code = "shelf_unreadable"
    message = N_("The document that was kept cannot be read any more.")
