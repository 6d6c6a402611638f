# SPDX-License-Identifier: Apache-2.0
"""What the same machine does without us in the same run: signatures, syncs, passwords."""

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from core.clock import SystemClock
from directory.config import DirectorySettings
from directory.service import Directory
from tests.flows.city import PASSWORD

from .measure import Figure, repeat
from .place import Place

THREADS = 2
"""One per core of the reference machine; the operations release the interpreter's lock."""


def signatures(seconds: float) -> Figure:
    """P-256 signatures over SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = secrets.token_bytes(500)
    return repeat(lambda: key.sign(text, ec.ECDSA(hashes.SHA256())), seconds=seconds, threads=THREADS)


def verifications(seconds: float) -> Figure:
    """P-256 verifications."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = secrets.token_bytes(500)
    signature, public = key.sign(text, ec.ECDSA(hashes.SHA256())), key.public_key()
    return repeat(lambda: public.verify(signature, text, ec.ECDSA(hashes.SHA256())), seconds=seconds, threads=THREADS)


def syncs(folder: Path, seconds: float) -> Figure:
    """A record of 700 bytes appended and forced to the disk, on the file system of the log."""
    record = secrets.token_bytes(700)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        descriptor = file.fileno()

        def act() -> None:
            os.write(descriptor, record)
            os.fdatasync(descriptor)

        return repeat(act, seconds=seconds)


def passwords(place: Place, usernames: list[str]) -> Figure:
    """The directory alone: search, LDAP bind with its argon2 hash, and the person read again."""
    context = place.context
    settings = context.settings("directory", DirectorySettings)
    directory = Directory.connect(settings, site=context.site, role="sso", clock=SystemClock())
    names = iter(usernames * 1000)
    return repeat(lambda: directory.authenticate(next(names), PASSWORD), seconds=place.seconds, threads=4)
