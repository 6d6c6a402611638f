# SPDX-License-Identifier: Apache-2.0
"""SCIM 2.0 (RFC 7643, RFC 7644) without the web: filters, changes and documents.

What a client may change stands in one table (``changes.MUTABLE``). Everything else that a document holds is told and
never taken: roles, groups, levels, clearance and whatever a client invents.
"""

from .changes import NewUser as NewUser
from .changes import Regrouped as Regrouped
from .changes import Wanted as Wanted
from .changes import new_group as new_group
from .changes import new_user as new_user
from .changes import patched as patched
from .changes import regrouped as regrouped
from .changes import replaced as replaced
from .changes import replaced_group as replaced_group
from .documents import BULK as BULK
from .documents import ERROR as ERROR
from .documents import GROUP as GROUP
from .documents import LIST as LIST
from .documents import MOST_IN_BULK as MOST_IN_BULK
from .documents import RESOURCE_TYPES as RESOURCE_TYPES
from .documents import SCHEMAS as SCHEMAS
from .documents import USER as USER
from .documents import group as group
from .documents import projected as projected
from .documents import provider as provider
from .documents import user as user
from .documents import version as version
from .filters import matches as matches
from .filters import parsed as parsed
from .openapi import description as description
from .queries import MOST_COUNTED as MOST_COUNTED
from .queries import MOST_IN_LIST as MOST_IN_LIST
from .queries import Query as Query
from .queries import after_of as after_of
from .queries import cursor_of as cursor_of
from .queries import query_of as query_of
from .queries import sorted_people as sorted_people
from .searches import user_filter as user_filter
