# SPDX-License-Identifier: Apache-2.0
"""Errors of searching and of reading tiles.

Invalid
├── BadFilter        a filter is unknown, given twice, too long or cannot be read
├── UnknownCursor    a page is asked for that no search could have offered
└── BadTileAddress   not the one spelling a tile has
NotFound
└── NoSuchTile       no published checkpoint implies this tile
Unavailable
├── SearchTooLong    it was cancelled, so that others need not wait for it
└── IndexDamaged     a file of the index is not what was written
"""

from core.errors import N_, Invalid, NotFound, Unavailable


class BadFilter(Invalid):
    """``field`` names the filter."""

    code = "bad_filter"
    message = N_("The filter “%(field)s” cannot be read. Please correct it and search again.")


class UnknownCursor(Invalid):
    """The record is not that long, so no page can have ended there."""

    code = "unknown_cursor"
    message = N_("This page of results does not exist. Please search again.")


class BadTileAddress(Invalid):
    """C2SP tlog-tiles gives every tile exactly one spelling; others are refused, not corrected."""

    code = "bad_tile_address"
    message = N_("This is not the address of a tile.")


class NoSuchTile(NotFound):
    """Readers must not ask for tiles that no checkpoint implies."""

    code = "no_such_tile"
    message = N_("No published checkpoint covers this tile.")


class SearchTooLong(Unavailable):
    """The deadline of every question to the index has passed."""

    code = "search_too_long"
    message = N_("This search took too long and was cancelled. Narrow the time, or add a filter or a word.")


class IndexDamaged(Unavailable):
    """``first`` is the first entry of the part that is damaged; the record itself is not."""

    code = "index_damaged"
    message = N_(
        "The search index is damaged from entry %(first)s on. The record itself is not affected, and entries can be "
        "opened by their number. “tallygate audit reindex” builds the index again."
    )
