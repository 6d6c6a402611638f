# SPDX-License-Identifier: Apache-2.0
"""What a mirror finds out about the log that it copies; both leave the signed checkpoints in the folder ``evidence``.

Conflict
├── LogForked   two checkpoints that cannot both be true, both signed by the log
└── LogShrunk   the log shows less than it showed
"""

from core.errors import N_, Conflict


class LogForked(Conflict):
    """The log's keeper has shown two histories, or somebody else signs with its key."""

    code = "log_forked"
    message = N_("The log has signed two histories: at %(old)s and at %(new)s entries. Both are kept in %(evidence)s.")


class LogShrunk(Conflict):
    """A cache may show something old for seconds; a log that stays smaller was put back."""

    code = "log_shrunk"
    message = N_("The log shows %(new)s entries and showed %(old)s before. Both are kept in %(evidence)s.")
