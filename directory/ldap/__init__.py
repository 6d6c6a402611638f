# SPDX-License-Identifier: Apache-2.0
"""The craft of speaking LDAP: connections, escaped names and filters, entries to models and back."""

from .connection import Entry as Entry
from .connection import Pool as Pool
from .connection import Server as Server
from .connection import Twins as Twins
from .names import Tree as Tree
