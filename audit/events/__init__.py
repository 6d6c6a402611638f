# SPDX-License-Identifier: Apache-2.0
"""Every event type the log takes, with its OCSF class and activity (OCSF 1.6, pinned in each entry's metadata).

The log refuses a type that is not listed here, an attribute or sealed field that its type does not declare, and a role
that may not say it; so a misspelt event is found in its first test, and the list is the documentation of what is
recorded. docs/events.md is made from it. OCSF classes: 2004 detection finding, 3001 account change,
3002 authentication, 3003 authorize session, 3004 entity management, 3005 user access management, 4002 HTTP activity,
6002 application lifecycle, 6003 API activity; activity 99 is "other".
"""

from collections.abc import Mapping

from . import access, authority, directory, enrolment, incidents, officers, own, sign_on
from .kinds import Kind as Kind
from .kinds import Retention as Retention
from .kinds import Severity as Severity
from .kinds import Verb as Verb

KINDS: Mapping[str, Kind] = {
    **own.KINDS,
    **officers.KINDS,
    **authority.KINDS,
    **enrolment.KINDS,
    **incidents.KINDS,
    **directory.KINDS,
    **sign_on.KINDS,
    **access.KINDS,
}
