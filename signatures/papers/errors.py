# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with papers.

TallygateError
├── NotFound
│   └── NoSuchPaper         there is none, or it does not concern them
└── Conflict
    ├── NotTheirTurn        another signs before them; recorded
    └── NotInThisState      it was signed, issued or withdrawn meanwhile
"""

from core.errors import N_, Conflict, NotFound


class NoSuchPaper(NotFound):
    """There is none, or it does not concern them: nobody is told which."""

    code = "no_such_paper"
    message = N_("This document is not here, or it does not concern you.")


class NotTheirTurn(Conflict):
    """Another signs before them."""

    code = "not_their_turn"
    message = N_("It is not your turn: another signs this document before you. Nothing was signed.")


class NotInThisState(Conflict):
    """It was signed, issued or withdrawn meanwhile."""

    code = "not_in_this_state"
    message = N_("This cannot be done with the document as it stands now. Please open it again.")
