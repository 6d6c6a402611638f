# SPDX-License-Identifier: Apache-2.0
"""What turns events into entries and only computes: read and check them, seal, encode and hash them.

Owns nothing, and remembers nothing but the shapes of events: keys come with the work and go with it. So many events at
once can be shared among processes of the log's own, one for each core; a few are done where they are. ``pool`` is for
the log alone, and not imported here: a helper need not carry what only the log needs.
"""

from .sealing import Part as Part
from .sealing import bound_to as bound_to
from .shapes import SHAPES as SHAPES
from .work import NOTHING as NOTHING
from .work import Job as Job
from .work import Made as Made
