# SPDX-License-Identifier: Apache-2.0
"""The keys of the seals: kept in the same holds as people's, encrypted or in a token, and used there.

Earlier releases kept each in a file that whoever reads the disk could use. ``move_in`` takes those into the hold of
files when the role starts; a death on the way leaves the old file, which the next start takes.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ..errors import SealUnusable
from ..holds import Algorithm, FileHold, HeldKey, KeyGone, KeyHold, UsedKey, request
from ..models import Seal
from ..pades.cms import KeySigner
from ..store import Store

_PROBE = b"tallygate: whether this key and this certificate belong together"
_OLD = ".pem"


class SealKeys:
    """Makes keys of seals and finds them again; each is looked at once and then held."""

    def __init__(self, holds: Mapping[str, KeyHold], *, make_of: str) -> None:
        """``holds`` are all that keep keys, by their make; new ones are made in ``make_of``."""
        self._holds = dict(holds)
        self._make_of = make_of
        self._loaded: dict[str, KeySigner] = {}
        self._lock = Lock()

    def make(self) -> tuple[str, bytes]:
        """A new key: what the seal calls it, and a request (PKCS #10, DER) that proves its possession.

        Raises:
            HoldUnavailable: none could be made.
        """
        hold = self._holds[self._make_of]
        key = hold.make(Algorithm.P256)
        return _called(hold, key), request(hold, key)

    def signer(self, seal: Seal) -> KeySigner:
        """The signer of one seal.

        Raises:
            SealUnusable: its key is gone or belongs to another certificate.
            HoldUnavailable: the keys cannot be reached.
        """
        with self._lock:
            known = self._loaded.get(seal.serial)
            if known is None:
                known = self._loaded[seal.serial] = self._load(seal)
            return known

    def drop(self, seal: Seal) -> None:
        """Destroy the key of a seal that was never used."""
        with self._lock:
            self._loaded.pop(seal.serial, None)
        used = self._used(seal)
        used.hold.drop(used.key)

    def _load(self, seal: Seal) -> KeySigner:
        used = self._used(seal)
        own = x509.load_pem_x509_certificate(seal.certificate.encode()).public_key()
        if not isinstance(own, ec.EllipticCurvePublicKey):
            raise SealUnusable
        try:
            # The hold knows keys by name only: one signature tells whether this one is the certificate's.
            own.verify(used.sign(_PROBE), _PROBE, ec.ECDSA(hashes.SHA256()))
        except (KeyGone, InvalidSignature) as error:
            raise SealUnusable from error
        return KeySigner(key=used, certificate=seal.certificate.encode(), chain=seal.chain.encode())

    def _used(self, seal: Seal) -> UsedKey:
        make, _, name = seal.key.partition(":")
        hold = self._holds.get(make)
        if hold is None or not name:
            # It is kept where this site keeps none any more, or in an old file that could not be moved.
            raise SealUnusable
        own = x509.load_pem_x509_certificate(seal.certificate.encode()).public_key()
        public = own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return UsedKey(hold, HeldKey(name=name, algorithm=Algorithm.P256, public=public))


def move_in(folder: Path, *, store: Store, hold: FileHold) -> int:
    """Take the keys of an earlier release into the hold; how many that were.

    The seal's row names the new place before the old file goes, so a death leaves a key in both and loses none. What no
    seal names was moved by a start that died, or was never used, and goes. A file that holds no key stays where it is:
    its seal is unusable, as before.
    """
    moved, stay = 0, set()
    for seal in store.seals():
        if not seal.key.endswith(_OLD):
            continue
        try:
            key = load_pem_private_key((folder / seal.key).read_bytes(), None)
        except (OSError, ValueError):
            stay.add(seal.key)
            continue
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            stay.add(seal.key)
            continue
        held = hold.take_in(key)
        if store.rename_key(seal, _called(hold, held)):
            moved += 1
        else:
            # Another worker that starts at the same moment was faster.
            hold.drop(held)
    for path in folder.glob(f"*{_OLD}"):
        if path.name not in stay:
            path.unlink(missing_ok=True)
    return moved


def _called(hold: KeyHold, key: HeldKey) -> str:
    return f"{hold.make_of}:{key.name}"
