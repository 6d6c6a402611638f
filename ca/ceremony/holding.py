# SPDX-License-Identifier: Apache-2.0
"""Hold a ceremony by its file: a rehearsal keeps nothing, the real one records its intent first and its outcome last.

A rehearsal does everything, but with a throw-away key in the place of the root's: nothing is ever signed unrecorded. So
its hashes of what is signed are of no use later; all others are.
"""

from collections.abc import Callable
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from audit import Event, Outcome, Receipt, Recorder, Wait
from core.errors import N_, TallygateError
from core.site import SiteSettings

from ..errors import ScriptRefused
from ..hierarchy import certificate_path, root_list_path
from ..models import AuthorityName, Standing, read_authority, read_serial, serial_hex
from ..service.notes import event
from ..x509.lists import Withdrawn, read_entry
from . import creation, offline
from .publishing import publish
from .script import CeremonyKind, Script
from .stage import Facts, Place, Stage, read_root
from .transcript import Transcript


def rehearse(script: Script, digest: str, place: Place) -> Transcript:
    """Everything but the deed.

    Raises:
        TallygateError: it could not be held like this.
    """
    transcript = _begun(script, digest, place, "a rehearsal; nothing is kept or recorded")
    _DEEDS[script.kind](Stage(script, place, transcript, recorder=None))
    return transcript


def hold(script: Script, digest: str, place: Place, recorder: Recorder) -> Transcript:
    """The deed.

    Raises:
        TallygateError: it was not done, or not wholly; then the record says so if it can.
        RecordUnavailable: nothing was done.
    """
    transcript = _begun(script, digest, place, "held")
    facts: Facts = {"kind": script.kind.value, "script": digest}
    # 1. The intent, before the root's key is touched.
    receipt = recorder.record(_event("ca.ceremony.intended", Outcome.INTENDED, place, facts), wait=Wait.PUBLISHED)
    _received(transcript, "intent", receipt)
    # 2. The deed.
    try:
        facts |= _DEEDS[script.kind](Stage(script, place, transcript, recorder=recorder))
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


def _custody(stage: Stage) -> Facts:
    """A new passphrase for the root's key, divided; the old one, and shares of it, open nothing any more."""
    name, wanted = stage.script.root, stage.script.custodians
    root = stage.root()
    # State: a death before the key's file is replaced leaves new shares that open nothing, and the old way in.
    key_file = stage.divide(root.key)
    if stage.rehearsal:
        return {}
    offline.replace(stage.offline, key_file, name)
    # State: only the shares open it. A death before the next line leaves a passphrase that opens nothing.
    offline.forget_passphrase(stage.offline, name)
    return {
        "root_key": stage.transcript.artefact(f"offline/{name}.key", key_file),
        "custodians": wanted.count,
        "needed": wanted.needed,
    }


def _root_list(stage: Stage) -> Facts:
    """The root's next revocation list: what stood there, and what the script adds."""
    site, name = stage.place.site, stage.script.root_name()
    number, entries = _present_list(site, name)
    for each in stage.script.revoked:
        path = certificate_path(site.public, read_authority(each.issuer) or name)
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        if serial_hex(serial) != read_serial(each.serial):
            raise ScriptRefused(why=N_("the serial is not that of the issuing authority"))
        if serial in {entry.serial for entry in entries}:
            raise ScriptRefused(why=N_("the issuing authority is revoked already"))
        entries.append(Withdrawn(serial=serial, standing=Standing.REVOKED, at=stage.at, reason=each.reason))
        stage.transcript.note(f"revokes {each.issuer}", f"{serial_hex(serial)}, {each.reason.value}")
    der = stage.hall.root_list(stage.root(), number=number + 1, entries=entries)
    made = x509.load_der_x509_crl(der)
    stage.transcript.note("list number", number + 1)
    stage.transcript.note("entries", len(made))
    stage.transcript.note("valid until", made.next_update_utc)
    digest = stage.transcript.artefact(f"public/{name}.crl", der)
    if not stage.rehearsal:
        publish(root_list_path(site.public, name), der)
    return {"root_list": digest, "number": number + 1, "entries": len(made)}


_DEEDS: dict[CeremonyKind, Callable[[Stage], Facts]] = {
    CeremonyKind.CUSTODY: _custody,
    CeremonyKind.ROOT_LIST: _root_list,
    CeremonyKind.ROOT: creation.make_root,
    CeremonyKind.ISSUERS: creation.make_issuers,
    CeremonyKind.CROSS: creation.cross_certify,
    CeremonyKind.DELEGATE: creation.make_delegates,
    CeremonyKind.UNIT: creation.make_unit,
    CeremonyKind.LIST: creation.make_lists,
}


def _begun(script: Script, digest: str, place: Place, how: str) -> Transcript:
    if script.site != place.site.name:
        raise ScriptRefused(why=N_("the file is for another site"))
    if script.until is not None and place.clock.now().date() > script.until:
        raise ScriptRefused(why=N_("the last day on which it could be held is over: have it reviewed again"))
    transcript = Transcript(f"Key ceremony “{script.kind.value}” of {place.site.name}: {how}")
    transcript.note("title", script.title)
    transcript.note("file", f"sha256 {digest}")
    transcript.note("begun", place.clock.now().isoformat(timespec="seconds"))
    if script.kind is not CeremonyKind.ROOT:
        root = read_root(place.site, script.root_name())
        transcript.note("root", f"sha256 {root.fingerprint(hashes.SHA256()).hex()}")
        transcript.note("root valid until", root.not_valid_after_utc)
    return transcript


def _present_list(site: SiteSettings, root: AuthorityName) -> tuple[int, list[Withdrawn]]:
    try:
        old = x509.load_der_x509_crl(root_list_path(site.public, root).read_bytes())
    except FileNotFoundError:
        return 0, []
    number = old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, [read_entry(each) for each in old]


def _event(kind: str, outcome: Outcome, place: Place, facts: Facts) -> Event:
    return event(kind, outcome, at=place.clock.now(), actor="role:app", attributes=facts)


def _received(transcript: Transcript, what: str, receipt: Receipt) -> None:
    transcript.note(f"{what} recorded", f"entry {receipt.index} of {receipt.log}, leaf {receipt.leaf.hex()}")
