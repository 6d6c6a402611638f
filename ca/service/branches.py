# SPDX-License-Identifier: Apache-2.0
"""Which entry of the directory shows a certificate."""

from ..store import DEVICES, ORGANISATIONS, PEOPLE, Entry
from ..x509 import Profile, SubjectKind

_BRANCHES = {
    SubjectKind.CITIZEN: PEOPLE,
    SubjectKind.CIVIL_SERVANT: PEOPLE,
    SubjectKind.PERSON: PEOPLE,
    SubjectKind.REPRESENTATIVE: PEOPLE,
    SubjectKind.ORGANISATION: ORGANISATIONS,
    SubjectKind.DEVICE: DEVICES,
}


def entry_of(profile: Profile, subject: str) -> Entry | None:
    """The directory's entry that shows certificates of a profile; None if none does."""
    kind = _BRANCHES.get(profile.subject) if profile.published else None
    return Entry(kind=kind, id=subject) if kind else None
