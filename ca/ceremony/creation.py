# SPDX-License-Identifier: Apache-2.0
"""What a ceremony creates: roots, issuing authorities, cross-certificates, delegates, time-stamping units, lists.

Keys are kept before the certificates about them are published. So a death midway leaves a key that nothing names,
which the same ceremony, held again, replaces; never a certificate whose key is lost.
"""

import hashlib
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from core.errors import N_
from core.site import SiteSettings

from ..errors import KeyUnusable, NoSuchIssuer, ScriptRefused
from ..hierarchy import Hierarchy, certificate_path, root_list_path
from ..models import Issued
from ..service import CertificateAuthority, issue_unit, key_folder, unit_folder
from ..signer import KeyFolder
from ..x509 import Algorithm, SigningKey, generate, throw_away
from . import offline
from .authorities import ISSUER_LIFE, ROOT_LIFE
from .publishing import publish, publish_anchors
from .stage import Facts, Stage


def make_root(stage: Stage) -> Facts:
    """Another root, whose key nobody can open alone from its first moment on."""
    name, site = stage.script.root_name(), stage.place.site
    path = certificate_path(site.public, name)
    if path.exists():
        raise ScriptRefused(why=N_("there is such an authority already"))
    algorithm = stage.script.algorithm or (Algorithm.ML_DSA_65 if name.ml_dsa else Algorithm.P384)
    # 1. The key, divided before it is kept.
    key = _new(stage, algorithm)
    key_file = stage.divide(key)
    root = stage.hall.root(name, key=key, life=_life(stage, ROOT_LIFE))
    crl = stage.hall.root_list(root, number=1)
    stage.transcript.note("algorithm", algorithm.value)
    facts = _shown(stage, {str(name): root.certificate})
    facts["root_list"] = stage.transcript.artefact(f"public/{name}.crl", crl)
    facts |= {"custodians": stage.script.custodians.count, "needed": stage.script.custodians.needed}
    if not stage.rehearsal:
        facts["root_key"] = stage.transcript.artefact(f"offline/{name}.key", key_file)
        offline.replace(stage.offline, key_file, str(name))
        # 2. What everybody may know; the certificate last, for it makes the root count.
        publish(root_list_path(site.public, name), crl)
        publish(path, root.certificate.public_bytes(Encoding.PEM))
        publish_anchors(site.public)
    return {**facts, "algorithm": algorithm.value}


def make_issuers(stage: Stage) -> Facts:
    """Issuing authorities beside those that are there: both generations are believed, the newer one issues."""
    script, site = stage.script, stage.place.site
    names, hierarchy = script.names(), Hierarchy.load(site.public)
    for name in names:
        newest = hierarchy.generations(name.kind, ml_dsa=name.ml_dsa)
        if name.generation != (newest[0].name.generation + 1 if newest else 1):
            raise ScriptRefused(why=N_("there is such an authority already, or the one before it is missing"))
    algorithm = script.algorithm or (Algorithm.ML_DSA_65 if script.root_name().ml_dsa else Algorithm.P256)
    root = stage.root()
    stage.transcript.note("algorithm", algorithm.value)
    made = {
        name: stage.hall.issuer(
            name,
            root,
            root_name=script.root_name(),
            key=_new(stage, algorithm),
            life=_life(stage, ISSUER_LIFE),
            constraints=script.constraints,
        )
        for name in names
    }
    facts = _shown(stage, {str(name): each.certificate for name, each in made.items()})
    if not stage.rehearsal:
        keys = KeyFolder(key_folder(site))
        for name, authority in made.items():
            keys.keep_issuing(str(name), authority.key)
        stage.place.own(key_folder(site), "ca")
        for name, authority in made.items():
            publish(certificate_path(site.public, name), authority.certificate.public_bytes(Encoding.PEM))
        publish_anchors(site.public)
        stage.transcript.note(
            "then", "a running role “ca” takes them up within seconds and makes their delegates and lists"
        )
    return {**facts, "algorithm": algorithm.value, "root": script.root}


def cross_certify(stage: Stage) -> Facts:
    """A certificate of ours about another root."""
    script, site = stage.script, stage.place.site
    wanted = script.other
    if wanted is None:
        raise ScriptRefused(why=N_("nothing says whose root is meant"))
    try:
        other = x509.load_pem_x509_certificate(wanted.certificate.read_bytes())
        other.verify_directly_issued_by(other)
        constraints = other.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise KeyUnusable(path=str(wanted.certificate), why="not a root's certificate") from error
    if other.fingerprint(hashes.SHA256()).hex() != wanted.sha256:
        raise ScriptRefused(why=N_("the other root's certificate is not the one that was reviewed"))
    if not constraints.ca:
        raise ScriptRefused(why=N_("the other certificate is no authority's"))
    root = stage.root()
    made = stage.hall.cross(
        other,
        root,
        root_name=script.root_name(),
        path_length=wanted.path_length,
        policies=[x509.ObjectIdentifier(each) for each in wanted.policies],
        life=_life(stage, ISSUER_LIFE),
        constraints=script.constraints,
    )
    stage.transcript.note("other root", other.subject.rfc4514_string())
    facts = _shown(stage, {wanted.name: made})
    if not stage.rehearsal:
        publish(site.public / "cross" / f"{wanted.name}.pem", made.public_bytes(Encoding.PEM))
    return {**facts, "root": script.root}


def make_delegates(stage: Stage) -> Facts:
    """New OCSP delegates, by the one issuance function; at a rehearsal only whether it could be asked."""
    names = _present(stage)
    if stage.rehearsal:
        stage.transcript.note("delegates of", ", ".join(names))
        return {}
    authority = _authority(stage)
    made = {f"ocsp-{name}": _leaf(authority.renew_responder(name)) for name in names}
    stage.place.own(stage.place.site.folder("ca"), "ca")
    return _shown(stage, made)


def make_unit(stage: Stage) -> Facts:
    """Key and certificate of a time-stamping unit, together in one file, by the one issuance function."""
    label, site = stage.script.unit, stage.place.site
    algorithm = stage.script.algorithm or Algorithm.P256
    path = unit_path(site, label)
    if path.exists():
        raise ScriptRefused(why=N_("there is such a unit already"))
    if algorithm is Algorithm.ED25519:
        raise ScriptRefused(why=N_("time-stamps are not signed by such keys"))
    stage.transcript.note("algorithm", algorithm.value)
    if stage.rehearsal:
        stage.transcript.note("time-stamping unit", label)
        return {}
    issued = issue_unit(_authority(stage), path, algorithm, actor="role:app")
    stage.place.own(site.folder("ca"), "ca")
    return {**_shown(stage, {f"tsu-{label}": _leaf(issued)}), "algorithm": algorithm.value}


def make_lists(stage: Stage) -> Facts:
    """The present revocation lists of issuing authorities, for where their role does not run."""
    names = _present(stage)
    if stage.rehearsal:
        stage.transcript.note("lists of", ", ".join(names))
        return {}
    authority = _authority(stage)
    made = []
    for name in names:
        for shard in authority.shards(name):
            der, file = authority.crl(name, shard).der, f"{name}-{shard}.crl"
            made.append(f"{file}={stage.transcript.artefact(f'public/lists/{file}', der)}")
            publish(stage.place.site.public / "lists" / file, der)
    # The transcript has them all; the record has the digest of them.
    return {"made": hashlib.sha256(" ".join(made).encode()).hexdigest(), "entries": len(made)}


def unit_path(site: SiteSettings, label: str) -> Path:
    """Where a time-stamping unit lies: its key, its certificate and its issuer's in one file."""
    return unit_folder(site) / f"{label}.pem"


def _present(stage: Stage) -> list[str]:
    known = Hierarchy.load(stage.place.site.public).issuers
    names = list(stage.script.issuers)
    if not set(names) <= set(known):
        raise NoSuchIssuer
    return names


def _authority(stage: Stage) -> CertificateAuthority:
    if stage.recorder is None or stage.place.authority is None:
        raise ScriptRefused(why=N_("the authority's tables are not at hand here"))
    return stage.place.authority(stage.recorder)


def _new(stage: Stage, algorithm: Algorithm) -> SigningKey:
    return throw_away(algorithm) if stage.rehearsal else generate(algorithm)


def _life(stage: Stage, usual: timedelta) -> timedelta:
    return timedelta(days=stage.script.days) if stage.script.days else usual


def _leaf(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def _shown(stage: Stage, made: dict[str, x509.Certificate]) -> Facts:
    """Every certificate by its hash, in the transcript and for the record."""
    prints = {name: hashlib.sha256(each.public_bytes(Encoding.DER)).hexdigest() for name, each in made.items()}
    for name, each in made.items():
        stage.transcript.note(name, f"sha256 {prints[name]}")
        stage.transcript.note(f"{name} serial", format(each.serial_number, "x"))
        stage.transcript.note(f"{name} valid until", each.not_valid_after_utc)
    return {"made": " ".join(f"{name}={digest}" for name, digest in prints.items())}
