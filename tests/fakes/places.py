# SPDX-License-Identifier: Apache-2.0
"""Where tests write: in memory where there is room, for nothing of it need outlive the machine.

Everything a site acknowledges was synced first, thousands of times in a run of tests, and each would wait for a disk.
"""

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - whoever writes there makes a folder of their own
DISK = Path("/tmp")  # noqa: S108 - as above


def roomy(needed: int) -> Path:
    """A folder with a short name, a file system in memory if so many bytes are free there."""
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return DISK
    return _MEMORY if shutil.disk_usage(_MEMORY).free > needed else DISK
