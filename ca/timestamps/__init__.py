# SPDX-License-Identifier: Apache-2.0
"""Time-stamps (RFC 3161, RFC 5816): the question read strictly, the answer built, and the clock watched.

Here is no key and no record. `ca.service.Stamping` joins them: no stamp without a sound clock and an entry in the
record. Owns one small file, the newest second that was stamped; serial numbers are random and need no memory.
"""

from .answer import Failure as Failure
from .answer import Stamp as Stamp
from .answer import granted as granted
from .answer import refused as refused
from .answer import signed_attributes as signed_attributes
from .question import LONGEST_QUESTION as LONGEST_QUESTION
from .question import Question as Question
from .question import Unfit as Unfit
from .question import read_question as read_question
from .sound import ClockWatch as ClockWatch
from .sound import Kernel as Kernel
from .sound import read_kernel as read_kernel
