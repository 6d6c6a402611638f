# SPDX-License-Identifier: Apache-2.0
"""One system user per role when started as root; otherwise everybody shares the user who started it.

Bootstrap makes the users. Where they cannot reach the code (a checkout inside a private folder), the roles share root's
user too, and ``doctor`` says so: separation by process and by secret remains, separation by user does not.
"""

import grp
import os
import pwd
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import N_, Conflict
from core.site import SiteSettings

from .acting import acting
from .pairs import holders

GROUP = "tallygate"
_CODE = Path(__file__).resolve().parent.parent


class LeadsElsewhere(Conflict):
    """A role's folder holds what the role cannot have put there honestly, so root touches nothing in it."""

    code = "leads_elsewhere"
    message = N_(
        "%(path)s is a link in a folder that belongs to one role. No program of this site makes such a link. Find out "
        "who made it, then remove it."
    )


@dataclass(frozen=True)
class Users:
    """Which user runs what; ``separate`` is false where all share one."""

    separate: bool

    @classmethod
    def detect(cls) -> "Users":
        """Separate if we are root, every user exists and can read the code."""
        if os.geteuid() != 0:
            return cls(separate=False)
        try:
            for holder in holders():
                pwd.getpwnam(name_of(holder))
        except KeyError:
            return cls(separate=False)
        return cls(separate=_reachable(_CODE))

    def of(self, holder: str) -> str | None:
        """The user to drop into, or None to stay."""
        return name_of(holder) if self.separate else None

    def keep(self, site: SiteSettings) -> None:
        """Make every private folder, closed to everybody else, and for the time being to its owner too."""
        for holder in holders():
            folder = site.folder(holder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.separate:
                os.chown(folder, os.geteuid(), os.getegid(), follow_symlinks=False)
            folder.chmod(0o700)

    def own(self, site: SiteSettings) -> None:
        """Give every private folder to its owner, and close it to everybody else.

        Raises:
            LeadsElsewhere: a link was found; nothing behind it was touched.
        """
        for holder in holders():
            folder = site.folder(holder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self.give(folder, holder)
        self.open_run(site)

    def open_run(self, site: SiteSettings) -> None:
        """Make the folders for sockets anew, one for each role; only while no role runs.

        A role that could bind a socket by another's name would be told the secrets of those who call that one. So the
        folder of folders is root's, and in its own each role alone may create. The others may pass, and connect: what
        is made there takes the folder's group.
        """
        site.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.separate:
            shutil.chown(site.run, "root", GROUP)
        site.run.chmod(0o750 if self.separate else 0o700)
        for left in site.run.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
        for holder in holders():
            folder = site.socket(holder).parent
            folder.mkdir(mode=0o700)
            if self.separate:
                shutil.chown(folder, name_of(holder), GROUP)
                folder.chmod(0o2750)

    def own_already(self, site: SiteSettings) -> bool:
        """Whether every private folder, and every one for sockets, is in the right hands."""
        return self.sockets_shared(site) and all(
            site.folder(holder).stat().st_uid == pwd.getpwnam(name_of(holder)).pw_uid
            for holder in (holders() if self.separate else ())
        )

    def sockets_shared(self, site: SiteSettings) -> bool:
        """Whether new sockets will take the site's group.

        Linux drops the folders' bit without a word where root lacks the capability FSETID; then no role reaches
        another.
        """
        group = grp.getgrnam(GROUP).gr_gid if self.separate else 0
        for holder in holders() if self.separate else ():
            folder = site.socket(holder).parent
            if not folder.is_dir() or not folder.stat().st_mode & stat.S_ISGID or folder.stat().st_gid != group:
                return False
        return True

    def acting(self, holder: str, act: Callable[[], bytes]) -> bytes:
        """Have something done in the holder's folder by its owner (`app.acting`).

        Raises:
            TallygateError: the one that ``act`` raised, by kind and code.
            ActingFailed: its owner may not do that.
        """
        return acting(name_of(holder), GROUP, act) if self.separate else act()

    def give(self, folder: Path, holder: str) -> None:
        """Give one folder and everything in it to its owner; the owner may have filled it, so no link is followed.

        Raises:
            LeadsElsewhere: the folder holds a link.
        """
        if not self.separate:
            return
        owner = pwd.getpwnam(name_of(holder))
        user, group = owner.pw_uid, owner.pw_gid
        _walk(folder, lambda handle: os.chown(f"/proc/self/fd/{handle}", user, group))
        os.chown(folder, user, group, follow_symlinks=False)


def name_of(holder: str) -> str:
    """The system user of one role."""
    return f"tallygate-{holder.replace('portal:', '')}"


def _walk(folder: Path, act: Callable[[int], None]) -> None:
    """Act on everything below by a handle of the thing itself: what is swapped meanwhile is not what is acted on."""
    for root, folders, files, parent in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            # Opens nothing, neither a link's target nor a device; it only names what lies there now (open(2), O_PATH).
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                found = os.fstat(handle)
                # A second name of a file may stand outside, where its owner could never have put it.
                if stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink > 1):
                    raise LeadsElsewhere(path=str(Path(root, name)))
                act(handle)
            finally:
                os.close(handle)


def _reachable(folder: Path) -> bool:
    # Every folder on the way must let others pass, and the code itself must be readable by others.
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents)) and bool(
        folder.stat().st_mode & 0o004
    )
