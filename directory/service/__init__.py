# SPDX-License-Identifier: Apache-2.0
"""The verbs: `Directory` answers questions for every role, `DirectoryWriter` makes every change for the one.

`Administration` is the part of both that one administrator has.
"""

from .acting import ProgramAdministration as ProgramAdministration
from .administration import Administration as Administration
from .enrolling import Enrolling as Enrolling
from .importing import Course as Course
from .importing import Importing as Importing
from .numbering import Numbering as Numbering
from .outsiders import Outsiders as Outsiders
from .publishing import Publishing as Publishing
from .reading import Directory as Directory
from .writing import DirectoryWriter as DirectoryWriter
from .writing import open_writer as open_writer
