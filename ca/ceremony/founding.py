# SPDX-License-Identifier: Apache-2.0
"""The birth of the authorities of a site, and what brings them back after years without power.

Issuing keys go to ``state/ca/keys``, certificates and the root's revocation list to ``state/public``. Everything else,
machines and delegates included, is certified by the one issuance function, in process, with its intent in the record
first.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Outcome, Recorder, Wait, decode_event
from core.clock import Clock
from core.db import Database, migrate
from core.site import SiteSettings

from ..config import CASettings
from ..errors import AlreadyFounded
from ..hierarchy import certificate_path, root_list_path
from ..models import ISSUERS, ROOT, AuthorityName, IssueRequest
from ..service import CertificateAuthority, key_folder, open_authority, self_request
from ..service.notes import event
from ..signer import KeyFolder
from ..signer.keys import encode_key, write_private
from ..store import Store
from ..x509 import Algorithm, generate
from ..x509.lint import Linter, Seal
from ..x509.lists import read_entry
from . import offline
from .authorities import FIRST_ROOT, Authority, Hall
from .publishing import publish, publish_anchors

PARALLEL_ROOT = AuthorityName(ROOT, ml_dsa=True)
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def found(
    *, site: SiteSettings, settings: CASettings, database: Database, recorder: Recorder, clock: Clock
) -> CertificateAuthority:
    """Hold the ceremony; returns the authority, which can certify machines at once.

    Raises:
        AlreadyFounded: there is a root here.
        RecordUnavailable: the ceremony was not recorded, so it was not held.
    """
    kept = site.state / "offline"
    if (kept / offline.KEY).exists() or certificate_path(site.public, FIRST_ROOT).exists():
        raise AlreadyFounded

    # 1. The intent, before any key exists.
    at = clock.now().replace(microsecond=0)
    families = _families(settings)
    names = ",".join(str(name) for _, below in families for name in below)
    intent = event("ca.ceremony.intended", Outcome.INTENDED, at=at, actor="role:app", attributes={"issuers": names})
    recorder.record(intent, wait=Wait.PUBLISHED)

    hall, keys = Hall(site=site, settings=settings, linter=Linter(Seal()), at=at), KeyFolder(key_folder(site))
    prints: dict[str, str | int | bool] = {}
    for root_name, below in families:
        algorithm = Algorithm.ML_DSA_65 if root_name.ml_dsa else None
        # 2. The root, and its key away from every running role.
        root = hall.root(root_name, key=generate(algorithm) if algorithm else None)
        offline.keep(kept, root.key, str(root_name))

        # 3. The issuing authorities, each able to issue only its own profiles.
        issuers = {
            name: hall.issuer(name, root, root_name=root_name, key=generate(algorithm) if algorithm else None)
            for name in below
        }
        for name, authority in issuers.items():
            keys.keep_issuing(str(name), authority.key)

        # 4. What everybody may know, with the root's first revocation list, which is empty.
        crl = hall.root_list(root, number=1)
        publish(certificate_path(site.public, root_name), root.certificate.public_bytes(Encoding.PEM))
        publish(root_list_path(site.public, root_name), crl)
        publish_anchors(site.public)
        for name, authority in issuers.items():
            publish(certificate_path(site.public, name), authority.certificate.public_bytes(Encoding.PEM))
        made = {str(name): each.certificate for name, each in {root_name: root, **issuers}.items()}
        digests = {name: each.fingerprint(hashes.SHA256()).hex() for name, each in made.items()}
        if root_name == FIRST_ROOT:
            prints |= {**digests, "root_list": _digest(crl)}
        else:
            # As ceremonies tell of the same.
            told = {**digests, f"{root_name}.crl": _digest(crl)}
            prints["made"] = " ".join(f"{name}={digest}" for name, digest in told.items())

    # 5. Tables and OCSP delegates, by the normal issuance.
    migrate(database, MIGRATIONS)
    store = Store(database)
    opened = open_authority(site=site, settings=settings, store=store, recorder=recorder, clock=clock, directory=None)
    opened.renew_responders()

    # 6. The outcome, with what anybody can compare.
    deliver_outbox(store, recorder)
    completed = event("ca.ceremony.completed", Outcome.SUCCESS, at=clock.now(), actor="role:app", attributes=prints)
    recorder.record(completed, wait=Wait.PUBLISHED)
    return opened


def renew(
    *, site: SiteSettings, settings: CASettings, database: Database, recorder: Recorder, clock: Clock
) -> CertificateAuthority:
    """Bring back an authority that was without power: new OCSP delegates and lists where the old ones ran out.

    Their records are left in the outbox.

    Raises:
        IssuerUnusable: an issuing authority itself has expired; that needs a ceremony.
    """
    migrate(database, MIGRATIONS)
    store = Store(database)
    opened = open_authority(site=site, settings=settings, store=store, recorder=recorder, clock=clock, directory=None)
    opened.reap()
    opened.renew_responders()
    for issuer in opened.issuers:
        opened.publish(issuer)
    return opened


def issue_server(authority: CertificateAuthority, *, label: str, hosts: Sequence[str]) -> dict[str, bytes]:
    """Certify one of the site's own servers; returns its ``tls.key`` and ``tls.pem`` (certificate, then issuer)."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.issue(
        IssueRequest(
            profile="server",
            csr=self_request(key),
            subject=label,
            actor="role:app",
            actor_roles=frozenset({"role:app"}),
            hosts=tuple(hosts),
        )
    )
    return {"tls.key": encode_key(key), "tls.pem": issued.certificate + issued.chain}


def install(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put what a server was given into its folder."""
    for name, content in files.items():
        write_private(folder / name, content)


def deliver_outbox(store: Store, recorder: Recorder) -> None:
    """Bring waiting outcomes to the record now; for the birth of a site, where all of them are new.

    Raises:
        RecordUnavailable: the log did not take one; it keeps waiting.
    """
    while waiting := store.outbox.head():
        for each in waiting:
            recorder.record(decode_event(each.body))
        store.outbox.drop([each.position for each in waiting])


def renew_root_list(*, site: SiteSettings, settings: CASettings, recorder: Recorder, clock: Clock) -> None:
    """The same entries under the next number, for each root half of whose old list's life is over.

    Only where the root's key and its passphrase are at hand, which no role's user can read; else it takes a ceremony.
    """
    for name in (FIRST_ROOT, PARALLEL_ROOT):
        if offline.is_at_hand(site.state / "offline", str(name)):
            _renew_root_list(name, site=site, settings=settings, recorder=recorder, clock=clock)


def _renew_root_list(
    name: AuthorityName, *, site: SiteSettings, settings: CASettings, recorder: Recorder, clock: Clock
) -> None:
    at = clock.now().replace(microsecond=0)
    path = root_list_path(site.public, name)
    try:
        old = x509.load_der_x509_crl(path.read_bytes())
    except FileNotFoundError:
        # A site that an older release founded has none, and nothing names one.
        return
    if old.next_update_utc is None or at < old.next_update_utc - settings.root_crl_lifetime / 2:
        return
    number = old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
    key = offline.take(site.state / "offline", root=str(name))
    own = x509.load_pem_x509_certificate(certificate_path(site.public, name).read_bytes())
    root = Authority(own, key)
    about: dict[str, str | int | bool] = {"root_list": number} | ({} if name == FIRST_ROOT else {"root": str(name)})
    intent = event("ca.ceremony.intended", Outcome.INTENDED, at=at, actor="role:app", attributes=about)
    recorder.record(intent, wait=Wait.PUBLISHED)
    hall = Hall(site=site, settings=settings, linter=Linter(Seal()), at=at)
    crl = hall.root_list(root, number=number, entries=[read_entry(each) for each in old])
    publish(path, crl)
    prints: dict[str, str | int | bool] = {**about, "number": number, "root_list": _digest(crl)}
    recorder.record(
        event("ca.ceremony.completed", Outcome.SUCCESS, at=at, actor="role:app", attributes=prints),
        wait=Wait.PUBLISHED,
    )


def _families(settings: CASettings) -> list[tuple[AuthorityName, list[AuthorityName]]]:
    """Each root that the site is born with, and the issuing authorities below it."""
    families = [(FIRST_ROOT, [AuthorityName(name) for name in ISSUERS])]
    if settings.parallel:
        families.append((PARALLEL_ROOT, [AuthorityName(name, ml_dsa=True) for name in settings.parallel]))
    return families


def _digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
