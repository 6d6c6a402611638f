# SPDX-License-Identifier: Apache-2.0
"""A birth is killed (SIGKILL) before each file of its authorities counts; the next one leaves exactly one of each."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from app import birth
from ca import CASettings
from ca.ceremony import found
from ca.errors import AlreadyFounded
from ca.hierarchy import Hierarchy
from ca.models import ISSUERS
from ca.service import open_authority
from ca.store import Store
from core.site import SiteSettings
from tests.ca.world import open_database, site_in
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

PARALLEL = ("people", "infrastructure")
SETTINGS = CASettings(parallel=PARALLEL)
# Every so many files; all of them take minutes and tell nothing more.
_EVERY = 7


def born(site: SiteSettings) -> None:
    """The part of a birth that makes authorities, in the order of ``init``."""
    birth._clear(site, lambda _line: None)
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database = open_database(site)
    found(site=site, settings=SETTINGS, database=database, recorder=ListRecorder(), clock=ManualClock())
    database.close()


def killed(site: SiteSettings, *, before: int) -> bool:
    """Whether a birth in a process of its own died before its file of this number counted; else it ended well."""
    child = os.fork()
    if not child:
        counted = 0

        def die(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal counted
            # A file counts from when it bears its name.
            if event == "os.rename" and str(site.state) in str(arguments[1]):
                counted += 1
                if counted == before:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        status = 1
        try:
            born(site)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def deaths(site: SiteSettings) -> Iterator[int]:
    """Each number at which a birth dies."""
    number = 1
    while killed(site, before=number):
        yield number
        number += _EVERY


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_whenever_a_birth_is_killed_the_next_has_one_root_and_one_authority_of_each_kind(tmp_path: Path) -> None:
    untouched = site_in(tmp_path / "untouched")
    born(untouched)
    site, died = site_in(tmp_path / "state"), 0
    for number in deaths(site):
        died += 1
        # What is left is no authority that anything could be issued by twice: either its root is there, or none.
        if (site.state / "offline" / "root.key").exists():
            database = open_database(site)
            with pytest.raises(AlreadyFounded):
                found(site=site, settings=SETTINGS, database=database, recorder=ListRecorder(), clock=ManualClock())
            database.close()
        born(site)
        hierarchy = Hierarchy.load(site.public)
        assert set(hierarchy.roots) == {"root", "root-ml-dsa"}
        assert set(hierarchy.issuers) == {*ISSUERS, *(f"{name}-ml-dsa" for name in PARALLEL)}
        for each in hierarchy.issuers.values():
            each.certificate.verify_directly_issued_by(each.root.certificate)
        # Nothing of the dead lies anywhere: no key without its certificate, no half of a file.
        for folder in ("ca", "offline", "public"):
            assert files(site.state / folder) == files(untouched.state / folder), (number, folder)
        database = open_database(site)
        authority = open_authority(
            site=site,
            settings=SETTINGS,
            store=Store(database),
            recorder=ListRecorder(),
            clock=ManualClock(),
            directory=None,
        )
        assert len(authority.issuers) == len(hierarchy.issuers)
        database.close()
        # The next one is killed in a folder that holds a whole one.
    assert died > len(ISSUERS)
    assert all(x509.load_pem_x509_certificates(path.read_bytes()) for path in (site.public / "issuers").iterdir())
