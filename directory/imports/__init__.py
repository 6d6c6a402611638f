# SPDX-License-Identifier: Apache-2.0
"""Reading what is to be imported: CSV and LDIF become rows, rows become records or refusals. Pure."""

from .files import csv_rows as csv_rows
from .files import ldif_rows as ldif_rows
from .files import read_csv as read_csv
from .files import read_ldif as read_ldif
from .records import Batch as Batch
from .records import ImportReport as ImportReport
from .records import NewHolding as NewHolding
from .records import NewMandate as NewMandate
from .records import Refusal as Refusal
from .records import Row as Row
from .records import parse as parse
from .records import repeated as repeated
