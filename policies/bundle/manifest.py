# SPDX-License-Identifier: Apache-2.0
"""What was released and its proof: the manifest, and reading what lies in the folder by it."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ..approval import PREFIX, Approval, demand, read_approval
from ..errors import BundleRefused

CURRENT = "current"
SHADOW = "shadow"
"""What is tried on live questions and decides nothing, beside what is in force."""
JOURNAL = "release.journal"
"""Name of the journal, in the private folder of the release key."""
SIGNED = ".manifest"
"""Name of that copy; no file of a release begins with a dot."""
FORMAT = "tallygate-policies/1"
# Nothing else this key could ever sign begins like this.
CONTEXT = b"tallygate policy bundle\n"
# So that a bundle in shadow cannot be moved into force.
TRIED = b"tallygate policy bundle in shadow\n"
_LONGEST = 1 << 20
# The operator's own commands release, whoever types them (the actor).
SOURCE = "app"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was released, as signed."""

    format: str
    # Rises by one with each release; an older one is refused by whoever saw a newer.
    sequence: int
    version: str
    released_at: str
    released_by: str
    # File name to SHA-256 in hex.
    files: dict[str, str]
    # Administrators who signed, with their signatures, and the number they signed it for.
    approvals: dict[str, str] = field(default_factory=dict)
    approved_as: int = 0
    # What they signed of a trial in shadow, as ``Trial.said``.
    trial: str = ""

    def canonical(self) -> bytes:
        """The bytes that are signed."""
        said = asdict(self)
        if not self.trial:
            # As before there was anything to say of it.
            del said["trial"]
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_source(folder: Path) -> dict[str, bytes]:
    """The files of a release from a folder somebody edited."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def read_current(
    folder: Path, key: Ed25519PublicKey, *, administrators: Mapping[str, str] | None = None
) -> tuple[Manifest, dict[str, bytes]]:
    """Verify what is in force and return it.

    Raises:
        BundleRefused: unsigned, signed by another key or by too few administrators, or any file differs from its
            manifest.
    """
    manifest = read_manifest(folder, key)
    demand(
        manifest.files,
        manifest.approvals,
        sequence=manifest.approved_as,
        administrators=administrators or {},
        trial=manifest.trial,
    )
    return manifest, content_of(folder, manifest)


def read_shadow(folder: Path, key: Ed25519PublicKey) -> Manifest | None:
    """Verify the signature of what is tried in shadow and return its manifest; None if nothing is tried.

    Raises:
        BundleRefused: as in ``read_manifest``.
    """
    return verified(folder / SHADOW, key, context=TRIED) if (folder / SHADOW).exists() else None


def read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The files of a verified manifest.

    Raises:
        BundleRefused: one is missing or differs.
    """
    return content_of(folder, manifest)


def read_approvals(folder: Path) -> tuple[Approval, ...]:
    """The approvals that lie in a source folder; nothing is verified.

    Raises:
        BundleRefused: one cannot be read.
    """
    return tuple(read_approval(path.read_bytes()) for path in sorted(folder.glob(f"{PREFIX}*")))


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Names and SHA-256, as manifests and approvals have them."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def read_manifest(folder: Path, key: Ed25519PublicKey) -> Manifest:
    """Verify the signature and return the manifest, without reading the files.

    Raises:
        BundleRefused: unsigned, signed by another key, or not a manifest.
    """
    return verified(folder / CURRENT, key)


def read_version(folder: Path, version: str, key: Ed25519PublicKey) -> dict[str, bytes]:
    """Verify one version that is or was in force and return its files.

    Raises:
        BundleRefused: there is none of that name, or as in ``read_current``.
    """
    for manifest in history(folder, key):
        if manifest.version == version:
            return content_of(folder, manifest)
    raise BundleRefused(why=f"{version} was never in force here")


def history(folder: Path, key: Ed25519PublicKey) -> list[Manifest]:
    """Every version that is or was in force, as far as its proof is there, newest first.

    Raises:
        BundleRefused: what is in force cannot be read.
    """
    found = [read_manifest(folder, key)]
    for path in folder.glob(f"*/{SIGNED}"):
        try:
            manifest = verified(path, key)
        except BundleRefused:
            continue
        if manifest.version == path.parent.name and manifest.version != found[0].version:
            found.append(manifest)
    return sorted(found, key=lambda each: -each.sequence)


def manifest_of(named: dict[str, str], *, sequence: int, at: datetime, actor: str) -> Manifest:
    """A manifest of these files, signed by nobody yet."""
    # The time is part of the name: an attempt that was cut off and the next one are two.
    content = hashlib.sha256(json.dumps([named, at.isoformat()], sort_keys=True).encode()).hexdigest()
    return Manifest(
        format=FORMAT,
        sequence=sequence,
        version=f"{sequence}-{content[:12]}",
        released_at=at.isoformat(),
        released_by=actor,
        files=named,
    )


def verified(path: Path, key: Ed25519PublicKey, *, context: bytes = CONTEXT) -> Manifest:
    """Verify one proof.

    Raises:
        BundleRefused: there is none, it is signed by another key, or it is no manifest.
    """
    try:
        with path.open("rb") as file:
            signed, _, signature = file.read(_LONGEST).partition(b"\n")
        key.verify(base64.b64decode(signature.strip(), validate=True), context + signed)
    except OSError as error:
        raise BundleRefused(why="there is none") from error
    except (InvalidSignature, binascii.Error) as error:
        raise BundleRefused(why="its signature is not by the policy key") from error
    return parsed(signed)


def content_digest(manifest: Manifest) -> str:
    """The same for the same files, whatever the release is called: a return to older policies can be seen."""
    return hashlib.sha256(json.dumps(manifest.files, sort_keys=True).encode()).hexdigest()[:32]


def content_of(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The files of a manifest, as far as they are what it says.

    Raises:
        BundleRefused: one is missing or differs.
    """
    files: dict[str, bytes] = {}
    for name, digest in manifest.files.items():
        try:
            content = (folder / manifest.version / name).read_bytes()
        except OSError as error:
            raise BundleRefused(why=f"{name} cannot be read") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise BundleRefused(why=f"{name} was changed after it was signed")
        files[name] = content
    return files


def parsed(verified: bytes) -> Manifest:
    """Parse what was verified.

    Raises:
        BundleRefused: it is no manifest, or of another format, or a name leads astray.
    """
    try:
        manifest = Manifest(**json.loads(verified))
        names = [Path(name) for name in (manifest.version, *manifest.files)]
    except (TypeError, ValueError) as error:
        raise BundleRefused(why="its manifest cannot be read") from error
    if manifest.format != FORMAT or type(manifest.sequence) is not int:
        raise BundleRefused(why="its format is unknown")
    if any(len(name.parts) != 1 or name.name == ".." for name in names):
        raise BundleRefused(why="a name leads out of its folder")
    return manifest
