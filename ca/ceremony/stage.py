# SPDX-License-Identifier: Apache-2.0
"""Where a ceremony is held, and what its deed works with."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from audit import Recorder
from audit.models import Attribute
from core.clock import Clock
from core.errors import N_
from core.site import SiteSettings

from ..config import CASettings
from ..errors import KeyUnusable, ScriptRefused
from ..hierarchy import certificate_path
from ..models import AuthorityName
from ..service import CertificateAuthority
from ..signer.keys import write_private
from ..x509 import SigningKey, algorithm_of, throw_away
from ..x509.lint import Linter, Seal
from . import offline
from .authorities import Authority, Hall
from .script import Script
from .shares import Share, combine, divide, read_share
from .transcript import Transcript

Facts = dict[str, Attribute]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a ceremony is held, and with what."""

    site: SiteSettings
    settings: CASettings
    clock: Clock
    # The custodians' shares, as typed; asked for only if the passphrase does not lie beside the key.
    shares: Callable[[], list[str]]
    # Folder for new shares, one file for each custodian.
    shares_to: Path | None = None
    # The authority over its own tables, for what the one issuance function makes.
    authority: Callable[[Recorder], CertificateAuthority] | None = None
    # Gives what was written into a role's folder to that role's user.
    own: Callable[[Path, str], None] = lambda _folder, _holder: None


class Stage:
    """What a deed works with; at a rehearsal nothing it makes is kept, and a throw-away key signs."""

    def __init__(self, script: Script, place: Place, transcript: Transcript, *, recorder: Recorder | None) -> None:
        self.script = script
        self.place = place
        self.transcript = transcript
        self.recorder = recorder
        self.rehearsal = recorder is None
        self.offline = place.site.state / "offline"
        self.at: datetime = place.clock.now().replace(microsecond=0)
        self.hall = Hall(site=place.site, settings=place.settings, linter=Linter(Seal()), at=self.at)

    def root(self) -> Authority:
        """The script's root with its key, or at a rehearsal with a throw-away one."""
        name = self.script.root_name()
        certificate = read_root(self.place.site, name)
        public = certificate.public_key()
        algorithm = algorithm_of(public)
        if algorithm is None:
            raise KeyUnusable(path=str(self.offline), why="not of a kind that authorities have")
        if self.rehearsal and not offline.is_at_hand(self.offline, str(name)):
            self.transcript.note("root key", "with its custodians")
        else:
            key = offline.take(self.offline, self._secret, str(name))
            if key.public_key() != public:
                raise KeyUnusable(path=str(self.offline), why="the key belongs to another certificate")
            self.transcript.note("root key", "opens")
            if not self.rehearsal:
                return Authority(certificate, key)
        return Authority(certificate, throw_away(algorithm))

    def divide(self, key: SigningKey) -> bytes:
        """Divide a new passphrase for a root's key among custodians; the key's file under it, empty at a rehearsal.

        State: shares are written and proved to open the file, which is not yet kept.

        Raises:
            ScriptRefused: no empty folder for the shares.
        """
        wanted, folder = self.script.custodians, self.place.shares_to
        if folder is None or (folder.exists() and any(folder.iterdir())):
            raise ScriptRefused(why=N_("new shares need an empty folder to go to"))
        self.transcript.note("custodians", f"{wanted.count}, of whom {wanted.needed} are needed")
        for number, name in enumerate(wanted.names, 1):
            self.transcript.note(f"custodian {number}", name)
        if self.rehearsal:
            return b""
        secret = secrets.token_bytes(offline.SECRET_SIZE)
        shares = divide(secret, custodians=wanted.count, needed=wanted.needed, randomness=secrets.token_bytes)
        for share in shares:
            write_private(folder / f"share-{share.number}.txt", f"{share}\n".encode())
        # What custodians will bring is what was written: read back, it must open the new file before that is kept.
        kept = [read_share((folder / f"share-{each.number}.txt").read_text("ascii")) for each in shares]
        key_file = offline.encrypted(key, secret)
        if offline.opened(key_file, combine(kept[-wanted.needed :])).public_key() != key.public_key():
            raise KeyUnusable(path=str(folder), why="the shares do not open it")
        return key_file

    def _secret(self) -> bytes:
        come: list[Share] = [read_share(each) for each in self.place.shares()]
        secret = combine(come)
        self.transcript.note("custodians who came", ", ".join(str(each.number) for each in come))
        return secret


def read_root(site: SiteSettings, name: AuthorityName) -> x509.Certificate:
    """A root's certificate.

    Raises:
        KeyUnusable: there is none.
    """
    path = certificate_path(site.public, name)
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(path=str(path), why="there is no root here") from error
