# SPDX-License-Identifier: Apache-2.0
"""The key ceremonies: a root that no running role can reach, and what only its key can make.

A ceremony records in process, before any role runs: its intent first, its outcome with every hash last.
"""

from .founding import MIGRATIONS as MIGRATIONS
from .founding import deliver_outbox as deliver_outbox
from .founding import found as found
from .founding import install as install
from .founding import issue_server as issue_server
from .founding import renew as renew
from .founding import renew_root_list as renew_root_list
from .holding import hold as hold
from .holding import rehearse as rehearse
from .script import read_script as read_script
from .stage import Place as Place
