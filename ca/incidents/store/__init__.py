# SPDX-License-Identifier: Apache-2.0
"""The tables of incidents, in the authority's own database; its outbox takes the records in the same transactions."""

from core.db import Database

from .candidates import Candidates
from .candidates import Found as Found
from .incidents import Incidents
from .incidents import Step as Step
from .items import Items


class Store:
    """All of them over one database."""

    def __init__(self, database: Database) -> None:
        self.candidates = Candidates(database)
        self.incidents = Incidents(database)
        self.items = Items(database)
