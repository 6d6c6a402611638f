# SPDX-License-Identifier: Apache-2.0
"""Reading a request strictly: what could be read in two ways is refused, never repaired."""

from .adapters import ADAPTERS as ADAPTERS
from .credentials import Credentials as Credentials
from .credentials import certificate_digest as certificate_digest
from .credentials import credentials as credentials
from .credentials import proxy_credentials as proxy_credentials
from .hello import NoHello as NoHello
from .hello import server_name as server_name
from .target import matches as matches
from .target import return_path as return_path
from .target import target as target
