# SPDX-License-Identifier: Apache-2.0
"""Where the public part of a log lies: tiles, entry bundles, checkpoints. On this machine's disk, or in object storage.

Not trusted: whoever changes what lies here can stop the log and nothing else, for every byte is checked against what
was signed. The writer's lock, write-ahead file, staging and commit are never here; they stay on the writer's own disk.
``objects`` is loaded where a site keeps its tiles in object storage.
"""

from .disk import Disk as Disk
from .disk import DiskBlobs as DiskBlobs
from .settled import stored as stored
from .store import BlobDiffers as BlobDiffers
from .store import Blobs as Blobs
from .store import BlobStore as BlobStore
