# SPDX-License-Identifier: Apache-2.0
"""Errors of evidence.

Invalid
├── NothingChosen     no entry was named, or what was named finds none
├── TooMuchAtOnce     more entries than a page makes a file of while the officer waits
└── TooMuchChosen     more entries than one file may hold
Unavailable
└── NotPublishedYet   a chosen entry is not covered by a checkpoint yet
"""

from core.errors import N_, Invalid, Unavailable


class NothingChosen(Invalid):
    """A file about nothing proves nothing."""

    code = "nothing_chosen"
    message = N_("No entry of the record was chosen for the evidence file.")


class TooMuchChosen(Invalid):
    """``most`` entries go into one file."""

    code = "too_much_chosen"
    message = N_("One evidence file holds at most %(most)s entries. Choose a shorter range.")


class TooMuchAtOnce(Invalid):
    """``most`` entries go into a file that a page makes."""

    code = "too_much_at_once"
    message = N_(
        "A file made on this page holds at most %(most)s entries. Choose a shorter range, or let the operator make the "
        "file with the command “tallygate audit evidence”; that one opens no personal parts."
    )


class NotPublishedYet(Unavailable):
    """It will be within a second."""

    code = "not_published_yet"
    message = N_("A chosen entry is not covered by a signed checkpoint yet. Please try again in a second.")
