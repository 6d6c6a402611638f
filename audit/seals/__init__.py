# SPDX-License-Identifier: Apache-2.0
"""Sealed parts: each subject's personal facts under the subject's own key, which can be destroyed.

Owns ``state/audit/seals.db`` and the partitions in ``state/audit/seals/``, one for each class of retention and quarter.
A stolen database opens sealed parts to whoever also has the entry bundles; a destroyed key opens them to nobody, while
every proof still holds.
"""

from .partitions import Partition as Partition
from .seals import Sealing as Sealing
from .seals import Seals as Seals
from .store import SealKey as SealKey
from .store import SealStore as SealStore
