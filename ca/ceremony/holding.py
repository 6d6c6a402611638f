# SPDX-License-Identifier: Apache-2.0
"""Hold a ceremony by its file: a rehearsal keeps nothing, the real one records its intent first and its outcome last.

A rehearsal does everything, but with a throw-away key in the place of the root's: nothing is ever signed unrecorded. So
its hashes of what is signed are of no use later; all others are.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit import Event, Outcome, Receipt, Recorder, Wait
from audit.models import Attribute
from core.clock import Clock
from core.errors import N_, TallygateError
from core.site import SiteSettings

from ..config import CASettings
from ..errors import KeyUnusable, ScriptRefused
from ..models import Standing, read_serial, serial_hex
from ..service.notes import event
from ..service.publication import root_certificate, root_list
from ..signer.keys import write_private
from ..x509 import Linter, Seal
from ..x509.lists import Withdrawn, read_entry
from . import offline
from .authorities import Authority, Hall
from .founding import publish
from .script import CeremonyKind, Script
from .shares import Share, combine, divide, read_share
from .transcript import Transcript


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


def rehearse(script: Script, digest: str, place: Place) -> Transcript:
    """Everything but the deed.

    Raises:
        TallygateError: it could not be held like this.
    """
    transcript = _begun(script, digest, place, "a rehearsal; nothing is kept or recorded")
    _DEEDS[script.kind](_Stage(script, place, transcript, rehearsal=True))
    return transcript


def hold(script: Script, digest: str, place: Place, recorder: Recorder) -> Transcript:
    """The deed.

    Raises:
        TallygateError: it was not done, or not wholly; then the record says so if it can.
        RecordUnavailable: nothing was done.
    """
    transcript = _begun(script, digest, place, "held")
    facts: dict[str, Attribute] = {"kind": script.kind.value, "script": digest}
    # 1. The intent, before the root's key is touched.
    receipt = recorder.record(_event("ca.ceremony.intended", Outcome.INTENDED, place, facts), wait=Wait.PUBLISHED)
    _received(transcript, "intent", receipt)
    # 2. The deed.
    try:
        facts |= _DEEDS[script.kind](_Stage(script, place, transcript, rehearsal=False))
    except BaseException:
        with suppress(TallygateError):
            recorder.record(_event("ca.ceremony.completed", Outcome.FAILURE, place, facts), wait=Wait.PUBLISHED)
        raise
    # 3. The outcome, with the digest of all that stands above.
    facts["transcript"] = transcript.digest
    transcript.note("transcript so far", f"sha256 {facts['transcript']}")
    receipt = recorder.record(_event("ca.ceremony.completed", Outcome.SUCCESS, place, facts), wait=Wait.PUBLISHED)
    _received(transcript, "outcome", receipt)
    return transcript


class _Stage:
    """What a deed works with."""

    def __init__(self, script: Script, place: Place, transcript: Transcript, *, rehearsal: bool) -> None:
        self.script = script
        self.place = place
        self.transcript = transcript
        self.rehearsal = rehearsal
        self.offline = place.site.state / "offline"
        self.at: datetime = place.clock.now().replace(microsecond=0)

    def root(self) -> Authority:
        """The root with its key, or at a rehearsal with a throw-away one."""
        certificate = _root(self.place.site)
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise KeyUnusable(path=str(self.offline), why="not an elliptic-curve key")
        if self.rehearsal and not offline.is_at_hand(self.offline):
            self.transcript.note("root key", "with its custodians")
        else:
            key = offline.take(self.offline, self._secret)
            if key.public_key() != public:
                raise KeyUnusable(path=str(self.offline), why="the key belongs to another certificate")
            self.transcript.note("root key", "opens")
            if not self.rehearsal:
                return Authority(certificate, key)
        return Authority(certificate, ec.generate_private_key(public.curve))

    def _secret(self) -> bytes:
        come: list[Share] = [read_share(each) for each in self.place.shares()]
        secret = combine(come)
        self.transcript.note("custodians who came", ", ".join(str(each.number) for each in come))
        return secret


def _custody(stage: _Stage) -> dict[str, Attribute]:
    """A new passphrase for the root's key, divided; the old one, and shares of it, open nothing any more."""
    wanted, folder = stage.script.custodians, stage.place.shares_to
    if folder is None or (folder.exists() and any(folder.iterdir())):
        raise ScriptRefused(why=N_("new shares need an empty folder to go to"))
    root = stage.root()
    secret = secrets.token_bytes(offline.SECRET_SIZE)
    shares = divide(secret, custodians=wanted.count, needed=wanted.needed, randomness=secrets.token_bytes)
    stage.transcript.note("custodians", f"{wanted.count}, of whom {wanted.needed} are needed")
    for number, name in enumerate(wanted.names, 1):
        stage.transcript.note(f"custodian {number}", name)
    if stage.rehearsal:
        return {}
    # State: a death before the key's file is replaced leaves new shares that open nothing, and the old way in.
    for share in shares:
        write_private(folder / f"share-{share.number}.txt", f"{share}\n".encode())
    # What custodians will bring is what was written: read back, it must open the new file before that is kept.
    kept = [read_share((folder / f"share-{each.number}.txt").read_text("ascii")) for each in shares]
    key_file = offline.encrypted(root.key, secret)
    if offline.opened(key_file, combine(kept[-wanted.needed :])).public_key() != root.key.public_key():
        raise KeyUnusable(path=str(folder), why="the shares do not open it")
    offline.replace(stage.offline, key_file)
    # State: only the shares open it. A death before the next line leaves a passphrase that opens nothing.
    offline.forget_passphrase(stage.offline)
    return {
        "root_key": stage.transcript.artefact("offline/root.key", key_file),
        "custodians": wanted.count,
        "needed": wanted.needed,
    }


def _root_list(stage: _Stage) -> dict[str, Attribute]:
    """The root's next revocation list: what stood there, and what the script adds."""
    site = stage.place.site
    number, entries = _present_list(site)
    for each in stage.script.revoked:
        path = site.public / "issuers" / f"{each.issuer}.pem"
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        if serial_hex(serial) != read_serial(each.serial):
            raise ScriptRefused(why=N_("the serial is not that of the issuing authority"))
        if serial in {entry.serial for entry in entries}:
            raise ScriptRefused(why=N_("the issuing authority is revoked already"))
        entries.append(Withdrawn(serial=serial, standing=Standing.REVOKED, at=stage.at, reason=each.reason))
        stage.transcript.note(f"revokes {each.issuer}", f"{serial_hex(serial)}, {each.reason.value}")
    root = stage.root()
    hall = Hall(site=site, settings=stage.place.settings, linter=Linter(Seal()), at=stage.at)
    der = hall.root_list(root, number=number + 1, entries=entries)
    made = x509.load_der_x509_crl(der)
    stage.transcript.note("list number", number + 1)
    stage.transcript.note("entries", len(made))
    stage.transcript.note("valid until", made.next_update_utc)
    digest = stage.transcript.artefact("public/root.crl", der)
    if not stage.rehearsal:
        publish(root_list(site.public), der)
    return {"root_list": digest, "number": number + 1, "entries": len(made)}


_DEEDS: dict[CeremonyKind, Callable[[_Stage], dict[str, Attribute]]] = {
    CeremonyKind.CUSTODY: _custody,
    CeremonyKind.ROOT_LIST: _root_list,
}


def _begun(script: Script, digest: str, place: Place, how: str) -> Transcript:
    if script.site != place.site.name:
        raise ScriptRefused(why=N_("the file is for another site"))
    root = _root(place.site)
    transcript = Transcript(f"Key ceremony “{script.kind.value}” of {place.site.name}: {how}")
    transcript.note("title", script.title)
    transcript.note("file", f"sha256 {digest}")
    transcript.note("begun", place.clock.now().isoformat(timespec="seconds"))
    transcript.note("root", f"sha256 {root.fingerprint(hashes.SHA256()).hex()}")
    transcript.note("root valid until", root.not_valid_after_utc)
    return transcript


def _root(site: SiteSettings) -> x509.Certificate:
    path = root_certificate(site.public)
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(path=str(path), why="there is no root here") from error


def _present_list(site: SiteSettings) -> tuple[int, list[Withdrawn]]:
    try:
        old = x509.load_der_x509_crl(root_list(site.public).read_bytes())
    except FileNotFoundError:
        return 0, []
    number = old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, [read_entry(each) for each in old]


def _event(kind: str, outcome: Outcome, place: Place, facts: dict[str, Attribute]) -> Event:
    return event(kind, outcome, at=place.clock.now(), actor="role:app", attributes=facts)


def _received(transcript: Transcript, what: str, receipt: Receipt) -> None:
    transcript.note(f"{what} recorded", f"entry {receipt.index} of {receipt.log}, leaf {receipt.leaf.hex()}")
