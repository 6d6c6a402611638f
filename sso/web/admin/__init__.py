# SPDX-License-Identifier: Apache-2.0
"""The desk of sign-on, at a host of its own behind the gateway: for administrators, and for agencies with portals."""

from .clients import clients as clients
from .desk import ADMINISTRATOR as ADMINISTRATOR
from .desk import AGENCY as AGENCY
from .desk import Pages as Pages
from .desk import desk as desk
from .front import front as front
from .people import persons as persons
from .portals import portals as portals
