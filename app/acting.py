# SPDX-License-Identifier: Apache-2.0
"""Do a part of an operator's command as the user whose folder it is about.

Root that writes into a role's folder, or only reads there, can be led by what the role left in it: a link, a database
that breaks its reader. So the part is done by a process that has become that user for good and answers with bytes.
"""

import ctypes
import grp
import json
import os
import pwd
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from core.errors import N_, Conflict, TallygateError, from_problem

_PR_SET_PDEATHSIG = 1
_DONE, _REFUSED, _FAILED = b"+", b"-", b"!"


class ActingFailed(Conflict):
    """A part of a command that is done as another user could not be done."""

    code = "acting_failed"
    message = N_("What had to be done as the user %(user)s could not be done: %(why)s")


def acting(user: str, group: str, act: Callable[[], bytes]) -> bytes:
    """Have ``act`` done by ``user``, with ``group`` as its only other one, and return what it returned.

    It starts from a copy of this process, in which only the calling thread goes on.

    Raises:
        TallygateError: the one that it raised, by kind and code.
        ActingFailed: the user may not, or the process died.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    mine = os.getpid()
    child = os.fork()
    if not child:
        os.close(reading)
        _act(user, group, act, writing, parent=mine)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if said[:1] == _DONE:
        return said[1:]
    if said[:1] == _REFUSED:
        problem = json.loads(said[1:])
        raise from_problem(problem["status"], problem)
    raise ActingFailed(user=user, why=said[1:].decode("utf-8", "replace") or "the process died")


def die_with(parent: int) -> None:
    """Be killed when the parent ends; to be called again after each change of user, which makes the kernel forget."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _act(user: str, group: str, act: Callable[[], bytes], writing: int, *, parent: int) -> NoReturn:
    """What the child does; nothing of its parent's, no handler and no ``finally``, is run in it."""
    try:
        try:
            _become(user, group)
            die_with(parent)
            said = _DONE + act()
        except TallygateError as error:
            told = {"status": error.kind.status, "code": error.code, "message": error.message}
            said = _REFUSED + json.dumps({**told, "parameters": error.parameters}).encode()
        except OSError as error:
            said = _FAILED + str(error).encode()
        with os.fdopen(writing, "wb") as answer:
            answer.write(said)
    except BaseException:  # noqa: BLE001 - whatever it is, this copy must not go on as its parent
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


def _become(user: str, group: str) -> None:
    owner = pwd.getpwnam(user)
    os.setgroups([grp.getgrnam(group).gr_gid])
    os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
    # All three: none leads back. Having changed user the process cannot be traced by that user's others either.
    os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
    os.umask(0o077)
    os.chdir("/")
