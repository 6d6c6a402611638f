# SPDX-License-Identifier: Apache-2.0
"""OpenID AuthZEN Authorization API 1.0: what an enforcement point asks, read once, and pages of what it looks for.

Nothing here does I/O or decides. Fields that nobody knows are ignored, as the standard says; fields that somebody knows
and that are of the wrong kind make the question one that cannot be answered.
"""

from .openapi import description as description
from .paging import Place as Place
from .paging import page_of as page_of
from .paging import token_of as token_of
from .questions import Batch as Batch
from .questions import Named as Named
from .questions import Question as Question
from .questions import Semantic as Semantic
from .questions import Wanted as Wanted
from .questions import batch as batch
from .questions import question as question
