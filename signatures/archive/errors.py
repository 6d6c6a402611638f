# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the archive.

TallygateError
├── Invalid
│   └── NotArchivable       no signed PDF, or one that is not to be trusted
├── Forbidden
│   └── NotResponsible      they do not act for the organisation that would answer for it
├── Unavailable
│   └── NoArchive           the site has no unit that stamps an archive
└── NotFound
    └── NoSuchArchived      nothing of this name, or somebody else's
"""

from core.errors import N_, Forbidden, Invalid, NotFound, Unavailable


class NotArchivable(Invalid):
    """Keeping it would prove nothing."""

    code = "not_archivable"
    message = N_("Only a signed PDF that can be trusted is taken into the archive.")


class NotResponsible(Forbidden):
    """They do not act for the organisation that would answer for it."""

    code = "archive_not_responsible"
    message = N_("You do not act for this organisation, so nothing can be put into its archive.")


class NoArchive(Unavailable):
    """What is taken in here would never be stamped."""

    code = "no_archive"
    message = N_("This site keeps no archive: it has no time-stamping unit for one.")


class NoSuchArchived(NotFound):
    """Nothing of this name, or somebody else's: nobody is told which."""

    code = "no_such_archived"
    message = N_("The archive holds no such document.")
