# SPDX-License-Identifier: Apache-2.0
"""The nginx configuration of a site as text: pure functions from settings to strings."""

from .configuration import SECRETS as SECRETS
from .configuration import configuration as configuration
from .configuration import host_names as host_names
from .configuration import secret_include as secret_include
from .configuration import secret_name as secret_name
from .edges import EDGES as EDGES
from .edges import Edge as Edge
from .pages import pages as pages
