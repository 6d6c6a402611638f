# SPDX-License-Identifier: Apache-2.0
"""HTTP to the authority and back: public facts, the API for other roles, the registration desk and its side door."""

from . import words as words
from .acme import acme as acme
from .api import CALLERS as CALLERS
from .api import api as api
from .checking import checks as checks
from .checking import findings as findings
from .desk import by_gateway as by_gateway
from .desk import desk as desk
from .direct import at_the_door as at_the_door
from .direct import side_door as side_door
from .enrolments import enrolments as enrolments
from .est import est as est
from .grants import grants as grants
from .incident_api import incident_api as incident_api
from .incident_api import incident_registrar as incident_registrar
from .inventory import inventory as inventory
from .notices import notices as notices
from .overview import Standing as Standing
from .overview import numbers as numbers
from .overview import overview as overview
from .own import own as own
from .peer_tables import peer_tables as peer_tables
from .public import public as public
from .quick import quick as quick
from .reading import recorded as recorded
from .registrar import registrar as registrar
from .stock import stock as stock
from .tables import tables as tables
from .timestamps import timestamps as timestamps
from .units import units as units
