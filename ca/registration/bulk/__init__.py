# SPDX-License-Identifier: Apache-2.0
"""Devices enrolled many at once: one table of requests, agreed to as a whole, issued line by line, reported.

Owns the tables bulk_jobs, bulk_lines and bulk_approvals. Officers agree to one digest over everything that all the
certificates would say. What never happens here: no line is lost, none is issued twice, whatever dies in between, and
none is issued that is not what officers saw.
"""

from .models import Job as Job
from .models import JobState as JobState
from .models import Line as Line
from .models import LineState as LineState
from .reading import COLUMNS as COLUMNS
from .reading import LONGEST_FILE as LONGEST_FILE
from .reading import read_folder as read_folder
from .reading import read_upload as read_upload
from .reading import table_of as table_of
from .report import report as report
from .service import OFFERED as OFFERED
from .service import Bulk as Bulk
from .store import Jobs as Jobs
from .workshop import Workshop as Workshop
