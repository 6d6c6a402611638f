# SPDX-License-Identifier: Apache-2.0
"""The verbs of the gateway: decide, log in and out, hear the news, set the site's proxy up."""

from .decision import Decider as Decider
from .egress import WaysOut as WaysOut
from .haproxy import haproxy_command as haproxy_command
from .haproxy import prepare_haproxy as prepare_haproxy
from .identification import Identification as Identification
from .identification import KeyFile as KeyFile
from .identification import Lifetimes as Lifetimes
from .identity_keys import IdentityKeys as IdentityKeys
from .login import Logins as Logins
from .news import News as News
from .nginx import as_root as as_root
from .nginx import command as command
from .nginx import prepare as prepare
from .people import People as People
from .point import DecisionPoint as DecisionPoint
from .shares import SharedShares as SharedShares
from .shares import SharedTable as SharedTable
from .sockets import Sockets as Sockets
from .status import Standings as Standings
from .uses import Uses as Uses
