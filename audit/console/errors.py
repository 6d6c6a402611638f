# SPDX-License-Identifier: Apache-2.0
"""Errors of the console's own pages.

NotFound
├── NoSuchSearch  the officer saved no such one
├── NoSuchView    nobody defined a view of this name
└── NothingTold   the record holds nothing about this; asking is recorded all the same
"""

from core.errors import N_, NotFound


class NoSuchView(NotFound):
    """Views are defined in the code; there are no others."""

    code = "no_such_view"
    message = N_("There is no such view.")


class NothingTold(NotFound):
    """An identifier of which nothing is in the record."""

    code = "nothing_told"
    message = N_("The record holds nothing about this.")


class NoSuchSearch(NotFound):
    """Nobody sees or removes another officer's."""

    code = "no_such_search"
    message = N_("You have no such saved search.")
