# SPDX-License-Identifier: Apache-2.0
"""The key ceremony: a root that no running role can reach, four issuing authorities, their OCSP delegates.

The root key lies encrypted in ``state/offline``; its passphrase beside it only in a demo, an operator takes both away.
Issuing keys go to ``state/ca/keys``, certificates to ``state/public``. Everything else, machines and delegates
included, is certified by the one issuance function, in process, with its intent in the record first.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from audit import Outcome, Recorder, Wait, decode_event
from core.clock import Clock
from core.db import Database, migrate
from core.site import SiteSettings

from .config import CASettings
from .errors import AlreadyFounded, LintStopped
from .models import ISSUERS, IssueRequest
from .service import CertificateAuthority, key_folder, open_authority, self_request
from .service.notes import event
from .signer import KeyFolder
from .signer.keys import encode_key, write_private
from .store import Store
from .x509 import PROFILES, Linter, Seal, algorithm_for, draw, policy_oid

ROOT_LIFE = timedelta(days=20 * 365)
ISSUER_LIFE = timedelta(days=10 * 365)
MIGRATIONS = Path(__file__).parent / "migrations"

_TITLES = {
    "people": "People",
    "devices": "Devices",
    "organisations": "Organisations",
    "infrastructure": "Infrastructure",
}
_PUBLIC_MODE = 0o644


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def found(
    *, site: SiteSettings, settings: CASettings, database: Database, recorder: Recorder, clock: Clock
) -> CertificateAuthority:
    """Hold the ceremony; returns the authority, which can certify machines at once.

    Raises:
        AlreadyFounded: there is a root here.
        RecordUnavailable: the ceremony was not recorded, so it was not held.
    """
    offline = site.state / "offline"
    if (offline / "root.key").exists() or (site.public / "root.pem").exists():
        raise AlreadyFounded

    # 1. The intent, before any key exists.
    at = clock.now().replace(microsecond=0)
    intent = event(
        "ca.ceremony.intended", Outcome.INTENDED, at=at, actor="role:app", attributes={"issuers": ",".join(ISSUERS)}
    )
    recorder.record(intent, wait=Wait.PUBLISHED)

    # 2. The root, and its key away from every running role.
    linter = Linter(Seal())
    root = _root(site, settings, linter, at)
    _keep_offline(offline, root.key)

    # 3. The issuing authorities, each able to issue only its own profiles.
    keys = KeyFolder(key_folder(site))
    issuers = {name: _issuer(name, root, site=site, settings=settings, linter=linter, at=at) for name in ISSUERS}
    for name, authority in issuers.items():
        keys.keep_issuing(name, authority.key)

    # 4. What everybody may know.
    _publish(site.public / "root.pem", root.certificate.public_bytes(Encoding.PEM))
    for name, authority in issuers.items():
        _publish(site.public / "issuers" / f"{name}.pem", authority.certificate.public_bytes(Encoding.PEM))

    # 5. Tables and OCSP delegates, by the normal issuance.
    migrate(database, MIGRATIONS)
    store = Store(database)
    opened = open_authority(site=site, settings=settings, store=store, recorder=recorder, clock=clock, directory=None)
    opened.renew_responders()

    # 6. The outcome, with what anybody can compare.
    prints = {name: each.certificate.fingerprint(hashes.SHA256()).hex() for name, each in issuers.items()}
    prints["root"] = root.certificate.fingerprint(hashes.SHA256()).hex()
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
    for issuer in ISSUERS:
        opened.crl(issuer)
    return opened


def issue_server(authority: CertificateAuthority, *, label: str, hosts: Sequence[str], folder: Path) -> None:
    """Certify one of the site's own servers: ``tls.key`` and ``tls.pem`` (certificate, then issuer) in its folder."""
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
    write_private(folder / "tls.key", encode_key(key))
    write_private(folder / "tls.pem", issued.certificate + issued.chain)


def deliver_outbox(store: Store, recorder: Recorder) -> None:
    """Bring waiting outcomes to the record now; for the birth of a site, where all of them are new.

    Raises:
        RecordUnavailable: the log did not take one; it keeps waiting.
    """
    while waiting := store.outbox.head():
        for each in waiting:
            recorder.record(decode_event(each.body))
        store.outbox.drop([each.position for each in waiting])


def _root(site: SiteSettings, settings: CASettings, linter: Linter, at: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name(site, settings, "Root")
    ends = at + ROOT_LIFE - timedelta(seconds=1)
    # Optional in a self-signed certificate (RFC 5280 section 4.2.1.1), and here so that the draft under a
    # throw-away key, which is not self-signed, is whole.
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = (
        _template(name, name, key, settings=settings, begins=at, ends=ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(own, critical=False)
    )
    return _sign(builder, key, key, linter)


def _issuer(
    issuer: str, root: _Authority, *, site: SiteSettings, settings: CASettings, linter: Linter, at: datetime
) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(at + ISSUER_LIFE - timedelta(seconds=1), root.certificate.not_valid_after_utc)
    root_id = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    policies = [
        x509.PolicyInformation(policy_oid(site.oid_base, each), None)
        for each in PROFILES.values()
        if issuer in each.issuers
    ]
    builder = (
        _template(
            _name(site, settings, _TITLES[issuer]),
            root.certificate.subject,
            key,
            settings=settings,
            begins=at,
            ends=ends,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
        .add_extension(x509.CertificatePolicies(policies), critical=False)
    )
    return _sign(builder, key, root.key, linter)


def _template(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    begins: datetime,
    ends: datetime,
    settings: CASettings,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .serial_number(draw(settings.instance))
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    linter: Linter,
) -> _Authority:
    # Lint before the real key is touched, as everywhere.
    throw_away = ec.generate_private_key(signing.curve)
    draft = builder.sign(throw_away, algorithm_for(throw_away))
    findings = linter.findings(draft.public_bytes(Encoding.DER))
    if findings:
        raise LintStopped(finding=findings[0][0])
    certificate = builder.sign(signing, algorithm_for(signing))
    return _Authority(certificate, key)


def _name(site: SiteSettings, settings: CASettings, title: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, settings.country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, site.title[:64].strip()),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Tallygate {site.name} {title} CA"),
        ]
    )


def _keep_offline(offline: Path, key: ec.EllipticCurvePrivateKey) -> None:
    passphrase = base64.b64encode(secrets.token_bytes(32))
    write_private(offline / "passphrase", passphrase + b"\n")
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    write_private(offline / "root.key", encrypted)


def _publish(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, content)
    path.chmod(_PUBLIC_MODE)
