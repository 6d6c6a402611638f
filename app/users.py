# SPDX-License-Identifier: Apache-2.0
"""One system user per role when started as root; otherwise everybody shares the user who started it.

Bootstrap makes the users. Where they cannot reach the code (a checkout inside a private folder), the roles share root's
user too, and ``doctor`` says so: separation by process and by secret remains, separation by user does not.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.site import SiteSettings

from .pairs import holders

GROUP = "tallygate"
_CODE = Path(__file__).resolve().parent.parent


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

    def own(self, site: SiteSettings) -> None:
        """Give every private folder to its owner, and close it to everybody else."""
        for holder in holders():
            folder = site.folder(holder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            if self.separate:
                for path in (folder, *folder.rglob("*")):
                    shutil.chown(path, name_of(holder), name_of(holder))
        run = site.state / "run"
        run.mkdir(parents=True, exist_ok=True)
        if self.separate:
            shutil.chown(run, "root", GROUP)
            # Sockets take the folder's group, so that roles and nginx reach them and nobody else does.
            run.chmod(0o2770)
        else:
            run.chmod(0o700)


def name_of(holder: str) -> str:
    """The system user of one role."""
    return f"tallygate-{holder.replace('portal:', '')}"


def _reachable(folder: Path) -> bool:
    # Every folder on the way must let others pass, and the code itself must be readable by others.
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents)) and bool(
        folder.stat().st_mode & 0o004
    )
