# SPDX-License-Identifier: Apache-2.0
"""The configuration of a site's proxy as text: pure functions from settings to strings."""

from collections.abc import Callable, Mapping

from .configuration import SECRETS as SECRETS
from .configuration import configuration as configuration
from .configuration import host_names as host_names
from .configuration import secret_include as secret_include
from .configuration import secret_name as secret_name
from .edges import Edge as Edge
from .edges import caddy
from .haproxy import Whole as Whole
from .haproxy import haproxy
from .haproxy import whole as whole
from .pages import pages as pages

EDGES: Mapping[str, Callable[[Edge], Mapping[str, str]]] = {"caddy": caddy, "haproxy": haproxy}
"""By the name of a proxy: what it needs beside nginx, by name of the file."""
