# SPDX-License-Identifier: Apache-2.0
"""What officers, services and citizens may read of the record; every reading is recorded before it is answered."""

from .console import Console as Console
from .counting import IndexCounting as IndexCounting
from .evidencing import Evidencing as Evidencing
from .histories import Histories as Histories
from .mirroring import Mirroring as Mirroring
from .models import Hit as Hit
from .models import Opened as Opened
from .models import Page as Page
from .opening import CaseBook as CaseBook
from .opening import Openings as Openings
from .opening import Scopes as Scopes
from .opening import concerned as concerned
from .overview import Overview as Overview
from .picture import SPANS as SPANS
from .saving import SavedSearches as SavedSearches
from .stories import About as About
from .stories import Stories as Stories
from .switchboard import Switchboard as Switchboard
from .views import VIEWS as VIEWS
from .views import Views as Views
from .warranting import Warranting as Warranting
