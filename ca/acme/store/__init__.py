# SPDX-License-Identifier: Apache-2.0
"""The tables of ACME: rows in, models out. Nobody else reads them."""

from core.db import Database

from .accounts import Accounts
from .accounts import Bound as Bound
from .marks import Marks
from .orders import Orders
from .pruning import Pruning


class Store:
    """All of them over one database."""

    def __init__(self, database: Database) -> None:
        self.accounts = Accounts(database)
        self.orders = Orders(database)
        self.marks = Marks(database)
        self.pruning = Pruning(database)
