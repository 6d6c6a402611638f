# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the archive.

TallygateError
├── Invalid
│   └── NotArchivable       no signed PDF, or one that is not to be trusted
└── NotFound
    └── NoSuchArchived      nothing of this name, or somebody else's
"""

from core.errors import N_, Invalid, NotFound


class NotArchivable(Invalid):
    """Keeping it would prove nothing."""

    code = "not_archivable"
    message = N_("Only a signed PDF that can be trusted is taken into the archive.")


class NoSuchArchived(NotFound):
    """Nothing of this name, or somebody else's: nobody is told which."""

    code = "no_such_archived"
    message = N_("The archive holds no such document.")
