# SPDX-License-Identifier: Apache-2.0
"""The site's own LDAP server: its schema, its access rules, its configuration, and how it is run.

Everything but ``process`` is text made from settings. Only the supervisor starts the program.
"""

from .access import DECOY as DECOY
from .access import EVERYTHING as EVERYTHING
from .access import LOOKUP as LOOKUP
from .access import MODEL as MODEL
from .access import MOST_FOR_LOOKUPS as MOST_FOR_LOOKUPS
from .access import MOST_FOR_READERS as MOST_FOR_READERS
from .access import OF_PEOPLE as OF_PEOPLE
from .access import READERS as READERS
from .access import SERVICES as SERVICES
from .access import Right as Right
from .passwords import SALT_LENGTH as SALT_LENGTH
from .passwords import Cost as Cost
from .passwords import hashed as hashed
from .passwords import service_password as service_password
from .process import check as check
from .process import command as command
from .process import configure as configure
from .process import dump as dump
from .process import forget_second as forget_second
from .process import load as load
from .process import no_password as no_password
from .process import places as places
from .process import prepare as prepare
from .process import socket_url as socket_url
