# SPDX-License-Identifier: Apache-2.0
"""The unit of work over SQLAlchemy Core, migrations, and the outbox every component keeps beside its tables.

Owns the shape of the tables ``outbox`` and ``outbox_aside`` and no other. Only ``store`` rooms and this package touch
a database.
"""

from .database import Database as Database
from .database import DatabaseUnavailable as DatabaseUnavailable
from .database import Unkeepable as Unkeepable
from .migrate import migrate as migrate
from .moving import move_in as move_in
from .outbox import Aside as Aside
from .outbox import Drain as Drain
from .outbox import Outbox as Outbox
from .outbox import OutboxFull as OutboxFull
from .outbox import Standing as Standing
from .outbox import Waiting as Waiting
