# SPDX-License-Identifier: Apache-2.0
r"""Checks an evidence file of a Tallygate record. Needs Python 3.11 and `cryptography` 47, nothing else of ours.

    python verify_evidence.py FILE --log-key KEYS --policy POLICY --tsa-roots ROOTS.pem [--lang en|zh]

What you give by hand is what you trust: the logs' public keys (KEYS: a file with one key a line, or a key itself), the
policy that says whose cosignatures are enough, the root certificates of the time-stamping authority. Get them from the
site's publication or the court's files, never from FILE. What you do not give is taken from FILE only to see whether it
fits together; it is then called "claimed", and the result is "could not be checked".

Exit code: 0 everything in the file is proved; 1 something is false; 2 something could not be checked.

FILE is a ZIP in the form of ASiC-E (ETSI EN 319 162-1): `mimetype` first, and besides
    META-INF/manifest.json   SHA-256 of every other file, and what the file says of itself
    logs/K/                  of each log whose entries are here, numbered from 1 in the order of their writing:
        entries/N.json           the very bytes that the log holds at place N
        proofs/N.tlog-proof      how entry N leads to the checkpoint (C2SP tlog-proof)
        openings/N.json          the secret that opens the personal part of entry N, and what it says
        checkpoint               the log's signed statement of its size and root, cosigned (C2SP tlog-checkpoint)
        keys, policy             keys and policy as the file claims them
        time/...                 an RFC 3161 token, the checkpoint it stamps, the proof that one of the two checkpoints
                                 continues the other, and the authority's certificates as the file claims them
    report.pdf, README.txt, verify_evidence.py    for people

The checks, in their order:
1. Files. Only names listed above, none twice, none beyond its size limit, each with the hash in the manifest.
2. Checkpoint. Text of three lines (origin, size, base64 of the root), an empty line, signature lines: dash, key name,
   base64 of 4 bytes of key id and the signature. Key id = first 4 bytes of SHA-256(name, newline, type byte, key).
   Type 1 is Ed25519 over the text. Types 4 and 6 are cosignatures: 8 bytes of time, then Ed25519 over
   "cosignature/v1\ntime T\n" and the text, or ML-DSA-44 over a fixed arrangement of name, time, origin, size and root.
3. Witnesses. Enough of those whom the policy names have cosigned the checkpoint.
4. Entries. SHA-256 of a zero byte and the entry's bytes is its leaf; with each hash of the proof, SHA-256 of a byte of
   value 1 and the two neighbours, it leads to the checkpoint's root (RFC 9162, 2.1.3.2). A changed bit leads elsewhere.
5. Openings. The sealed part in the entry is: version 1 (1 byte), key id (8), salt (12), commitment (32), AES-256-GCM
   ciphertext. From the secret HKDF-SHA-256 makes the commitment, which must be the one in the entry, and the key, which
   must decrypt the ciphertext, bound to the entry's own key, type, source and subject.
6. Time. The token is a CMS SignedData over a TSTInfo whose imprint is the hash of the stamped checkpoint's text; signed
   by a certificate for time-stamping only, which leads to a root you gave. The stamped checkpoint is signed by the same
   log and is consistent with the other one (RFC 9162, 2.1.4.2).
7. Several logs are one record if each one's last entry names the key of the next, whose entry 0 names the origin, size
   and root at which the one before ended.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509 import Certificate
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

FORMAT, MIMETYPE, MANIFEST = "tallygate-evidence/2", b"application/vnd.etsi.asic-e+zip", "META-INF/manifest.json"
N, LOG = r"(?:0|[1-9][0-9]{0,15})", r"logs/[1-9][0-9]{0,3}"
# Every name a file may have, and how many bytes it may be long.
NAMES = {
    r"mimetype": 64,
    re.escape(MANIFEST): 1 << 26,
    rf"{LOG}/entries/{N}\.json": 65_535,
    rf"{LOG}/openings/{N}\.json": 1 << 18,
    rf"{LOG}/(?:checkpoint|keys|policy|proofs/{N}\.tlog-proof)": 1 << 20,
    rf"{LOG}/time/(?:checkpoint|consistency|certificates\.pem|token\.tst)": 1 << 20,
    r"README\.txt|verify_evidence\.py": 1 << 20,
    r"report\.pdf": 1 << 28,
}
MOST_FILES, MOST_BYTES, SKEW = 400_000, 1 << 32, timedelta(minutes=1)
PROVED, FALSE, UNCHECKED = "proved", "false", "could not be checked"


class Wrong(Exception):
    """Something is not as it must be: a sentence, and what stands in its gaps."""


def demand(holds: object, sentence: str, *values: object) -> None:
    if not holds:
        raise Wrong(sentence, *values)


def both(sentence: str, *values: object) -> tuple[str, str]:
    """In English and Chinese; nothing in the file may move the cursor or turn the writing round."""
    said = ["".join(each if each.isprintable() else f"\\u{{{ord(each):x}}}" for each in str(text)) for text in values]
    return sentence.format(*said), CHINESE[sentence].format(*said)


@contextlib.contextmanager
def otherwise(sentence: str, *values: object) -> Iterator[None]:
    """Whatever Python and `cryptography` raise for what they cannot read, or what is not signed, is wrong."""
    try:
        yield
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(sentence, *values) from error


class Anchors(NamedTuple):
    """What is trusted, given by whoever checks."""

    log_keys: Sequence[str] = ()
    policy: str = ""
    tsa_roots: Sequence[Certificate] = ()


class Verdict:
    """Every finding in order, in two languages, and the code with which the program ends."""

    def __init__(self) -> None:
        self.findings: list[tuple[str, str, str]] = []

    def add(self, state: str, sentence: str, *values: object) -> None:
        self.findings.append((state, *both(sentence, *values)))

    @property
    def code(self) -> int:
        states = {state for state, _, _ in self.findings}
        return 1 if FALSE in states else 2 if UNCHECKED in states else 0

    @contextlib.contextmanager
    def check(self, sentence: str, *values: object) -> Iterator[None]:
        """One check: proved if it comes to its end, false if it finds something wrong."""
        (en, zh), state = both(sentence, *values), PROVED
        try:
            with otherwise("it cannot be read"):
                yield
        except Wrong as error:
            why = both(*error.args)
            state, en, zh = FALSE, f"{en}: {why[0]}", f"{zh}：{why[1]}"
        self.findings.append((state, en, zh))


def loads(raw: bytes) -> Any:
    """JSON in which no name stands twice."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        demand(len(dict(found)) == len(found), "it is not readable JSON")
        return dict(found)

    with otherwise("it is not readable JSON"):
        return json.loads(raw, object_pairs_hook=pairs)


def unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


# ---- 1. Files ----


class Container:
    """The ZIP, opened; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        self.zip, self.infos = zipfile.ZipFile(path), dict[str, zipfile.ZipInfo]()
        found = self.zip.infolist()
        first = found and found[0].filename == "mimetype" and found[0].header_offset == 0 and not self.zip.comment
        demand(first, "it does not begin with its type")
        for info in found:
            limit = next((size for name, size in NAMES.items() if re.fullmatch(name, info.filename, re.ASCII)), -1)
            known = limit >= 0 and info.orig_filename == info.filename and info.filename not in self.infos
            demand(known, "a file of this name does not belong here: {}", info.orig_filename)
            fits = info.file_size <= limit and not info.flag_bits & 1 and info.compress_type in (0, 8)
            demand(fits, "a file is too long or packed in another way: {}", info.filename)
            self.infos[info.filename] = info
        demand(len(found) <= MOST_FILES and sum(info.file_size for info in found) <= MOST_BYTES, "it is too large")
        demand(self.read("mimetype") == MIMETYPE, "it does not begin with its type")

    def read(self, name: str) -> bytes:
        demand(name in self.infos, "{} is missing", name)
        # In pieces: what says that it is short must not become long while it is unpacked.
        with otherwise("{} is damaged", name), self.zip.open(self.infos[name]) as opened:
            content = b"".join(iter(lambda: opened.read(1 << 16), b""))
        demand(len(content) == self.infos[name].file_size, "{} is damaged", name)
        return content

    def numbers(self, folder: str) -> set[int]:
        """Which numbers the names of files or folders in a folder begin with."""
        return {int(re.split("[/.]", name[len(folder) :])[0]) for name in self.infos if name.startswith(folder)}

    def check_manifest(self) -> None:
        manifest = loads(self.read(MANIFEST))
        demand(manifest["format"] == FORMAT, "the manifest is of another format")
        listed = dict(manifest["files"])
        demand(listed.keys() == self.infos.keys() - {MANIFEST}, "the manifest lists other files")
        for name, digest in listed.items():
            demand(hashlib.sha256(self.read(name)).hexdigest() == digest, "{} is not what the manifest says", name)


# ---- 2. and 3. Checkpoints and cosignatures ----


class Key(NamedTuple):
    """A verifier key: name+id+base64(type, key)."""

    name: str
    type: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "Key":
        with otherwise("this is not a verifier key"):
            name, told, encoded = text.strip().split("+", 2)
            raw = unbase64(encoded)
            key = cls(name, raw[0], raw[1:])
        good = len(key.public) == {1: 32, 4: 32, 6: 1312}.get(key.type) and key.id.hex() == told
        demand(good, "this is not a verifier key")
        return key

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def verify(self, signature: bytes, message: bytes) -> None:
        kind = mldsa.MLDSA44PublicKey if self.type == 6 else ed25519.Ed25519PublicKey
        with otherwise("the signature of {} is bad", self.name):
            kind.from_public_bytes(self.public).verify(signature, message)


class Checkpoint:
    """A signed note; nothing is believed before ``signed_by`` has passed."""

    def __init__(self, note: str) -> None:
        text, gap, lines = note.rpartition("\n\n")
        head, self.note, self.text = text.split("\n"), note, text + "\n"
        good = gap and len(head) >= 3 and all(head) and re.fullmatch(N, head[1], re.ASCII)
        demand(good, "the checkpoint is malformed")
        self.origin, self.size, self.root = head[0], int(head[1]), unbase64(head[2])
        split = [line.split(" ", 2) for line in lines.rstrip("\n").split("\n")]
        demand(all(dash == "\u2014" and name for dash, name, _ in split), "the checkpoint is malformed")
        self.lines = [(name, unbase64(encoded)) for _, name, encoded in split]

    def signed_by(self, key: Key) -> datetime | None:
        """The time of this key's signature (type 1: 1970); None if it has not signed; a bad signature is wrong."""
        latest = None
        for raw in [raw for name, raw in self.lines if (name, raw[:4]) == (key.name, key.id)]:
            stamp = b"" if key.type == 1 else raw[4:12]
            seconds, message = int.from_bytes(stamp, "big"), self.text.encode()
            if key.type == 4:
                message = f"cosignature/v1\ntime {seconds}\n".encode() + message
            if key.type == 6:
                cosigner, origin = key.name.encode(), self.origin.encode()
                message = b"subtree/v1\n\0" + bytes([len(cosigner)]) + cosigner + stamp + bytes([len(origin)]) + origin
                message += bytes(8) + self.size.to_bytes(8, "big") + self.root
            key.verify(raw[4 + len(stamp) :], message)
            latest = datetime.fromtimestamp(seconds, UTC)
        return latest

    def of_log(self, keys: Sequence[Key]) -> list[Key]:
        """Which of the log's keys signed; the Ed25519 key must, and whatever is there must hold."""
        good = [key for key in keys if key.name == self.origin and self.signed_by(key)]
        demand(any(key.type == 1 for key in good), "the log's key has not signed it")
        return good


def check_policy(policy: str, checkpoint: Checkpoint) -> list[str]:
    """The witnesses that cosigned, if they are enough (C2SP tlog-policy)."""
    counted, quorum, cosigned = {"none": True}, list[bool](), list[str]()
    for line in policy.split("\n"):
        kind, name, *rest = [*line.split(), "", ""]
        rest, good = rest[:-2] if name else [], name not in counted
        if not kind or kind.startswith("#") or kind == "log":
            continue
        if kind == "witness" and len(rest) in (1, 2):
            at = checkpoint.signed_by(Key.parse(rest[0]))
            counted[name] = at is not None
            cosigned += [f"{name} ({at:%Y-%m-%d %H:%M:%S} UTC)"] if at else []
        elif kind == "group" and len(rest) > 1 and set(rest[1:]) <= counted.keys():
            least = {"any": "1", "all": str(len(rest) - 1)}.get(rest[0], rest[0])
            good = good and bool(re.fullmatch("[1-9][0-9]*", least, re.ASCII)) and len(set(rest)) == len(rest)
            counted[name] = good and sum(counted[member] for member in rest[1:]) >= int(least)
        else:
            good = kind == "quorum" and not rest and name in counted and not quorum
            quorum.append(counted.get(name, False))
        demand(good, "the policy is malformed")
    demand(quorum == [True], "too few witnesses have cosigned it")
    return cosigned


# ---- 4. Entries and proofs ----


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_over(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root of a tree from a leaf and the hashes beside its way up, the uppermost last (RFC 9162 section 2.1.3)."""
    if size == 1:
        return leaf
    half, beside = 1 << (size - 1).bit_length() - 1, path.pop()
    if index < half:
        return node(root_over(leaf, index, half, path), beside)
    return node(beside, root_over(leaf, index - half, size - half, path))


def roots_over(known: bytes, old: int, new: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of the older and the newer tree; ``known`` is the older one's while nothing else is (2.1.4)."""
    if old == new:
        return (known or path.pop(),) * 2
    half, beside = 1 << (new - 1).bit_length() - 1, path.pop()
    if old <= half:
        first, second = roots_over(known, old, half, path)
        return first, node(second, beside)
    first, second = roots_over(b"", old - half, new - half, path)
    return node(beside, first), node(beside, second)


def check_consistency(old: Checkpoint, new: Checkpoint, path: list[bytes]) -> None:
    """The newer tree continues the older one."""
    with otherwise("the two checkpoints are not of one history"):
        same = old.origin == new.origin and 0 < old.size <= new.size
        fine = same and roots_over(old.root, old.size, new.size, path) == (old.root, new.root)
    demand(fine and not path, "the two checkpoints are not of one history")


def check_entry(box: Container, log: str, index: int, checkpoint: Checkpoint) -> dict[str, Any]:
    """What an entry says, once its bytes lead to the root (RFC 9162 section 2.1.3.2)."""
    raw = box.read(f"{log}entries/{index}.json")
    head, _, rest = box.read(f"{log}proofs/{index}.tlog-proof").decode().partition("\n\n")
    kind, told, *lines = head.split("\n")
    demand((kind, told) == ("c2sp.org/tlog-proof@v1", f"index {index}"), "its proof is of another entry or format")
    demand(rest == checkpoint.note, "its proof leads to another checkpoint")
    leaf, path = hashlib.sha256(b"\0" + raw).digest(), [unbase64(line) for line in lines]
    with otherwise("its bytes do not lead to the signed root"):
        led = index < checkpoint.size and root_over(leaf, index, checkpoint.size, path) == checkpoint.root
    demand(led and not path, "its bytes do not lead to the signed root")
    entry = loads(raw)
    demand(isinstance(entry, dict) and "metadata" in entry, "it is not an entry of this kind of log")
    return dict(entry)


# ---- 5. Openings ----


def derived(secret: bytes, what: str) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=None, info=f"tallygate entry {what} v1".encode()).derive(secret)


def check_opening(opening: Any, index: int, entry: dict[str, Any]) -> dict[str, str]:
    """What the entry's personal part says, if this opening is the entry's own."""
    sealed, secret = unbase64(str(entry["unmapped"]["ciphertext"])), bytes.fromhex(opening["secret"])
    bound = [str(entry["metadata"][name]) for name in ("uid", "event_code", "log_provider")]
    salt, commitment, ciphertext, claimed = sealed[9:21], sealed[21:53], sealed[53:], dict(opening["facts"])
    demand((opening["index"], sealed[:1], len(secret)) == (index, b"\1", 32), "it does not belong to this entry")
    demand(derived(secret, "commitment") == commitment, "its secret is not the one the entry commits to")
    # It is bound to whom the entry is about: one of those whom the entry names, and only that one opens it.
    for subject in sorted(set(identifiers(entry))):
        with contextlib.suppress(InvalidTag):
            text = AESGCM(derived(secret, "key")).decrypt(salt, ciphertext, "\n".join([*bound, subject]).encode())
            demand(loads(text) == claimed, "the entry says something else")
            return claimed
    raise Wrong("its secret does not open the entry")


def identifiers(said: Any) -> Iterator[str]:
    """Everybody and everything that a document names by identifier."""
    for name, value in said.items() if isinstance(said, dict) else enumerate(said if isinstance(said, list) else ()):
        if name in ("uid", "subject") and isinstance(value, str):
            yield value
        else:
            yield from identifiers(value)


# ---- 6. Time ----


class Der:
    """A DER element: one spelling for lengths, nothing behind the end."""

    def __init__(self, data: bytes) -> None:
        head, length = 2, data[1] if len(data) > 1 else 0x80
        if length & 0x80:
            head = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:head], "big")
        spelled = head == 2 or (3 <= head <= 6 and length >= 0x80 and data[2] != 0)
        end = head + length
        demand(spelled and data[0] & 0x1F != 0x1F and len(data) >= end, "the token is not DER")
        self.tag, self.body, self.rest, self.raw = data[0], data[head:end], data[end:], data[:end]

    def parts(self, *tags: int) -> list["Der"]:
        """The parts of a sequence, of which the first ones have these tags."""
        found, rest = list["Der"](), self.body
        while rest:
            found.append(Der(rest))
            rest = found[-1].rest
        demand([part.tag for part in found[: len(tags)]] == list(tags), "the token has another shape")
        return found


# Object identifiers as DER writes them.
SHA2: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
HASHES = {bytes.fromhex(f"60864801650304020{last}"): each for last, each in enumerate(SHA2, 1)}
# 1.2.840.113549.1.7.2, and under 1.2.840.113549.1.9: 16.1.4, 3, 4, 16.2.12, 16.2.47
PKCS9 = bytes.fromhex("2a864886f70d0109")
SIGNED_DATA, TST_INFO = bytes.fromhex("2a864886f70d010702"), PKCS9 + b"\x10\1\4"
CONTENT_TYPE, MESSAGE_DIGEST = PKCS9 + b"\3", PKCS9 + b"\4"
# SHA-1 only tells which certificate is meant (RFC 2634); what signs is never SHA-1.
SIGNER_BY_SHA1, SIGNER_BY_SHA2 = PKCS9 + b"\x10\2\x0c", PKCS9 + b"\x10\2\x2f"


def check_token(token: bytes, text: str, roots: Sequence[Certificate]) -> tuple[datetime, Certificate]:
    """The token's time and its signer, if it stamps this text; with no roots the chain is left unchecked."""
    kind, wrapped = Der(token).parts(0x06, 0xA0)
    _, _, content, *more = Der(wrapped.body).parts(0x02, 0x31, 0x30)
    content_type, wrapped_info = content.parts(0x06, 0xA0)
    demand(
        (kind.body, content_type.body, Der(token).rest) == (SIGNED_DATA, TST_INFO, b""), "it is not a time-stamp token"
    )
    info = Der(wrapped_info.body).body
    pool = [x509.load_der_x509_certificate(each.raw) for part in more if part.tag == 0xA0 for each in part.parts()]
    [signed] = more[-1].parts()
    _, sid, hashed, attributes, _, signature, *_ = signed.parts(0x02, 0x30, 0x30, 0xA0, 0x30, 0x04)
    issuer, serial = sid.parts(0x30, 0x02)
    number = int.from_bytes(serial.body, "big", signed=True)
    signer = next(each for each in pool if each.issuer.public_bytes() == issuer.raw and each.serial_number == number)
    named = {each.parts(0x06, 0x31)[0].body: Der(each.parts()[1].body) for each in attributes.parts()}
    same = (named[CONTENT_TYPE].body, named[MESSAGE_DIGEST].body) == (TST_INFO, hashed_by(hashed, info))
    demand(same, "what is signed is something else")
    check_signature(signer.public_key(), signature.body, b"\x31" + attributes.raw[1:])
    demand(names_signer(signer, named), "it does not name its signer's certificate")
    version, _, imprint, _, time, *_ = Der(info).parts(0x02, 0x06, 0x30, 0x02, 0x18)
    stamped_by, stamped = imprint.parts(0x30, 0x04)
    demand((version.body, stamped.body) == (b"\1", hashed_by(stamped_by, text.encode())), "it stamps something else")
    seconds = re.split(r"[.Z]", time.body.decode("ascii"))[0]
    at = datetime.strptime(f"{seconds}Z", "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    alone = usage.critical and list(usage.value) == [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]
    demand(alone, "its signer's certificate is not for time-stamping alone")
    valid = signer.not_valid_before_utc <= at <= signer.not_valid_after_utc
    demand(valid, "its signer's certificate was not valid at that time")
    if roots:
        check_chain(signer, roots, pool, at)
    return at, signer


def hashed_by(algorithm: Der, content: bytes) -> bytes:
    return hashlib.new(HASHES[algorithm.parts(0x06)[0].body].name, content).digest()


def check_signature(key: Any, signature: bytes, message: bytes) -> None:
    """By ECDSA or RSA with a hash of the family SHA-2, whichever it is."""
    for digest in SHA2:
        by_rsa = (padding.PKCS1v15(), digest), (padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
        for way in by_rsa if isinstance(key, rsa.RSAPublicKey) else ((ec.ECDSA(digest),),):
            with contextlib.suppress(InvalidSignature):
                key.verify(signature, message, *way)
                return
    raise Wrong("its signature is bad")


def names_signer(signer: Certificate, named: dict[bytes, Der]) -> bool:
    """What is signed names the signer's certificate (RFC 5035), so that no other one can be put in its place."""
    newer = SIGNER_BY_SHA2 in named
    first, *more = named[SIGNER_BY_SHA2 if newer else SIGNER_BY_SHA1].parts()[0].parts()[0].parts()
    if first.tag == 0x30:
        return signer.fingerprint(HASHES[first.parts(0x06)[0].body]) == more[0].body
    return signer.fingerprint(SHA2[0] if newer else hashes.SHA1()) == first.body  # noqa: S303 - as it is defined


def check_chain(signer: Certificate, roots: Sequence[Certificate], pool: list[Certificate], at: datetime) -> None:
    """By at most five authorities, each valid at that time and allowed to sign certificates, up to a root."""

    def may_sign(_policy: object, _authority: Certificate, usage: x509.KeyUsage) -> None:
        if not usage.key_cert_sign:
            raise ValueError("not an authority's key")

    anything, agnostic = ExtensionPolicy.permit_all(), Criticality.AGNOSTIC
    authority = anything.require_present(x509.BasicConstraints, agnostic, None)
    authority = authority.require_present(x509.KeyUsage, agnostic, may_sign)
    builder = PolicyBuilder().store(Store(list(roots))).time(at).max_chain_depth(5)
    with otherwise("its signer does not lead to a root you gave"):
        builder.extension_policies(ca_policy=authority, ee_policy=anything).build_client_verifier().verify(signer, pool)


# ---- All of it ----


def verify(path: Path, anchors: Anchors) -> Verdict:
    """Check a file; every finding is in the answer. Raised is only what is wrong with a key that was given."""
    verdict, policy = Verdict(), [line.split() for line in anchors.policy.split("\n")]
    keys = [*anchors.log_keys, *(words[1] for words in policy if words[:1] == ["log"])]
    given = [Key.parse(key) for key in keys if key.strip()]
    with verdict.check("the file is whole and holds what its manifest lists"):
        box = Container(path)
        box.check_manifest()
        numbers = sorted(box.numbers("logs/"))
        demand(numbers and numbers == list(range(1, len(numbers) + 1)), "it holds no log")
    if verdict.code:
        return verdict
    logs = [Log(box, f"logs/{number}/", anchors, given, verdict) for number in numbers]
    for older, newer in pairwise(logs if all(log.keys for log in logs) else ()):
        with verdict.check("{} goes on where {} ended", newer.checkpoint.origin, older.checkpoint.origin):
            check_succession(older, newer)
    return verdict


class Log:
    """What is proved of one log: its keys (none if its checkpoint is not signed), and what its entries say."""

    def __init__(self, box: Container, folder: str, anchors: Anchors, given: Sequence[Key], verdict: Verdict) -> None:
        self.keys, self.entries, self.times = list[Key](), dict[int, dict[str, Any]](), dict[int, datetime]()
        with verdict.check("the log's signatures on the checkpoint"):
            self.checkpoint = Checkpoint(box.read(f"{folder}checkpoint").decode())
            claimed = [] if given else box.read(f"{folder}keys").decode().split()
            self.keys = self.checkpoint.of_log(given or [Key.parse(line) for line in claimed])
        if not self.keys:
            return
        names = ", ".join(f"{key.name}+{key.id.hex()}" for key in self.keys)
        if given:
            verdict.add(PROVED, "signed by the keys you gave: {}", names)
        else:
            verdict.add(UNCHECKED, "the log's keys are only claimed: give --log-key ({})", names)
        if anchors.policy:
            with verdict.check("enough witnesses have cosigned the checkpoint"):
                for each in check_policy(anchors.policy, self.checkpoint):
                    verdict.add(PROVED, "cosigned by {}", each)
        elif f"{folder}policy" in box.infos:
            verdict.add(UNCHECKED, "the witnesses are only claimed: give --policy")
        entries, proofs, openings = (box.numbers(f"{folder}{kind}/") for kind in ("entries", "proofs", "openings"))
        if not entries or entries != proofs or not openings <= entries:
            verdict.add(FALSE, "entries and proofs do not belong together")
        for index in sorted(entries & proofs):
            with verdict.check("entry {} is in the log", index):
                entry = check_entry(box, folder, index, self.checkpoint)
                at = datetime.fromtimestamp(int(entry["time"]) / 1000, UTC)
                self.entries[index], self.times[index] = entry, at
                said = f"{at:%Y-%m-%d %H:%M:%S} UTC, {entry['metadata'].get('event_code')}, {entry.get('status_code')}"
                verdict.add(PROVED, "entry {} says: {}", index, said)
        for index in sorted(openings & self.entries.keys()):
            with verdict.check("the opened personal part of entry {}", index):
                opening = loads(box.read(f"{folder}openings/{index}.json"))
                for name, value in sorted(check_opening(opening, index, self.entries[index]).items()):
                    verdict.add(PROVED, "entry {}: {} = {}", index, name, value)
        if f"{folder}time/token.tst" in box.infos:
            with verdict.check("the time-stamp over the log"):
                self._time(box, f"{folder}time/", anchors.tsa_roots, verdict)
        elif anchors.tsa_roots:
            verdict.add(UNCHECKED, "there is no time-stamp in the file")

    def _time(self, box: Container, folder: str, roots: Sequence[Certificate], verdict: Verdict) -> None:
        stamped = Checkpoint(box.read(f"{folder}checkpoint").decode())
        stamped.of_log(self.keys)
        old, new = sorted((self.checkpoint, stamped), key=lambda each: each.size)
        check_consistency(old, new, [unbase64(line) for line in box.read(f"{folder}consistency").decode().split()])
        at, signer = check_token(box.read(f"{folder}token.tst"), stamped.text, roots)
        for index, said in self.times.items():
            demand(index < stamped.size and said <= at + SKEW, "it does not cover entry {}", index)
        who, when = signer.subject.rfc4514_string(), f"{at:%Y-%m-%d %H:%M:%S} UTC"
        if roots:
            verdict.add(PROVED, "every entry existed at {}, says {}", when, who)
        else:
            verdict.add(UNCHECKED, "the authority is only claimed ({}, {}): give --tsa-roots", who, when)


# ---- 7. Several logs ----


def check_succession(older: Log, newer: Log) -> None:
    """The older log's last entry names a key that signed the newer one, which begins at the older one's end."""
    end = older.checkpoint
    with otherwise("the entries that say so are not here"):
        closed, created = older.entries[end.size - 1], newer.entries[0]
        kinds = closed["metadata"]["event_code"], created["metadata"]["event_code"]
        successor, said = Key.parse(closed["unmapped"]["attributes"]["vkey"]), created["unmapped"]["attributes"]
        began = [said[name] for name in ("predecessor", "predecessor_size", "predecessor_root")]
    right = began == [end.origin, end.size, base64.b64encode(end.root).decode()] and successor in newer.keys
    demand(right and kinds == ("log.closed", "log.created"), "they name each other otherwise")


# ---- In words ----

RESULTS = ("everything in this file is proved", "SOMETHING IN THIS FILE IS FALSE", "something could not be checked")
NOT_PROVED = (
    "that what a service reported had really happened as it reported it",
    "that nothing else was recorded: whoever made the file chose its entries",
    "what report.pdf says in words; a seal on it is checked by other means",
)
# Every sentence above, in Chinese.
CHINESE = {
    "proved": "已证明",
    "false": "不成立",
    "could not be checked": "无法核实",
    "it is not readable JSON": "不是可读的 JSON",
    "it cannot be read": "无法读取",
    "it does not begin with its type": "文件开头不是类型声明",
    "a file of this name does not belong here: {}": "不应有此名称的文件：{}",
    "a file is too long or packed in another way: {}": "文件过长或压缩方式不符：{}",
    "it is too large": "文件总量过大",
    "{} is missing": "缺少 {}",
    "{} is damaged": "{} 已损坏",
    "the manifest is of another format": "清单格式不符",
    "the manifest lists other files": "清单所列文件与实际不符",
    "{} is not what the manifest says": "{} 与清单不符",
    "this is not a verifier key": "不是验证公钥",
    "the signature of {} is bad": "{} 的签名无效",
    "the checkpoint is malformed": "检查点格式有误",
    "the log's key has not signed it": "日志公钥未签署该检查点",
    "the policy is malformed": "策略格式有误",
    "too few witnesses have cosigned it": "共同签署的见证方不足",
    "the two checkpoints are not of one history": "两个检查点不属于同一历史",
    "its proof is of another entry or format": "其证明属于其他记录或格式不符",
    "its proof leads to another checkpoint": "其证明指向另一个检查点",
    "its bytes do not lead to the signed root": "其字节不能推导出已签名的根",
    "it is not an entry of this kind of log": "不是此类日志的记录",
    "it does not belong to this entry": "不属于该记录",
    "its secret is not the one the entry commits to": "密值与记录中的承诺不符",
    "the entry says something else": "记录内容与其不同",
    "its secret does not open the entry": "密值不能打开该记录",
    "the token is not DER": "令牌不是 DER 编码",
    "the token has another shape": "令牌结构不符",
    "it is not a time-stamp token": "不是时间戳令牌",
    "what is signed is something else": "签名的内容不同",
    "its signature is bad": "签名无效",
    "it does not name its signer's certificate": "令牌未指明签名证书",
    "it stamps something else": "令牌针对的是其他内容",
    "its signer's certificate is not for time-stamping alone": "签名证书并非仅用于时间戳",
    "its signer's certificate was not valid at that time": "签名证书当时无效",
    "its signer does not lead to a root you gave": "签名者不能追溯到您提供的根证书",
    "the file is whole and holds what its manifest lists": "文件完整，内容与清单一致",
    "it holds no log": "其中没有日志",
    "{} goes on where {} ended": "{} 接续 {} 的末尾",
    "the log's signatures on the checkpoint": "日志对检查点的签名",
    "signed by the keys you gave: {}": "由您提供的公钥签署：{}",
    "the log's keys are only claimed: give --log-key ({})": "日志公钥仅为文件自称：请提供 --log-key（{}）",
    "enough witnesses have cosigned the checkpoint": "足够的见证方已共同签署检查点",
    "cosigned by {}": "已由 {} 共同签署",
    "the witnesses are only claimed: give --policy": "见证方仅为文件自称：请提供 --policy",
    "entries and proofs do not belong together": "记录与证明不对应",
    "entry {} is in the log": "第 {} 条记录在日志中",
    "entry {} says: {}": "第 {} 条记录内容：{}",
    "the opened personal part of entry {}": "第 {} 条记录所公开的个人信息",
    "entry {}: {} = {}": "第 {} 条记录：{} = {}",
    "the time-stamp over the log": "日志的时间戳",
    "there is no time-stamp in the file": "文件中没有时间戳",
    "it does not cover entry {}": "未覆盖第 {} 条记录",
    "every entry existed at {}, says {}": "所有记录在 {} 已存在，证明者：{}",
    "the authority is only claimed ({}, {}): give --tsa-roots": "时间戳机构仅为文件自称（{}，{}）：请提供 --tsa-roots",
    "the entries that say so are not here": "文件中没有说明此事的记录",
    "they name each other otherwise": "二者所述的衔接不符",
    "What this does not prove:": "本程序不能证明：",
    "RESULT: {}": "结论：{}",
    "everything in this file is proved": "文件中的一切均已证明",
    "SOMETHING IN THIS FILE IS FALSE": "文件中有内容不成立",
    "something could not be checked": "有内容无法核实",
    "that what a service reported had really happened as it reported it": "服务所报告的事情确实如其所报告的那样发生",
    "that nothing else was recorded: whoever made the file chose its entries": "没有其他记录：记录由制作者选取",
    "what report.pdf says in words; a seal on it is checked by other means": "report.pdf 的文字内容，其印章须另行验证",
}


def show(verdict: Verdict, language: str) -> None:
    """The findings and the result, for people."""
    column = 1 if language == "zh" else 0
    for state, *said in verdict.findings:
        print(f"[{both(state)[column]}] {said[column]}")
    print("\n" + both("What this does not prove:")[column])
    print("\n".join(f"  - {both(each)[column]}" for each in NOT_PROVED))
    print("\n" + both("RESULT: {}", both(RESULTS[verdict.code])[column])[column])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Check an evidence file. 核验证据文件。")
    parser.add_argument("file", type=Path)
    parser.add_argument("--log-key", action="append", default=[], help="a key, or a file with one on each line")
    parser.add_argument("--policy", type=Path, help="whose cosignatures are enough (C2SP tlog-policy)")
    parser.add_argument("--tsa-roots", type=Path, help="PEM file of the time-stamping authority's roots")
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    given = parser.parse_args(arguments)
    try:
        texts = [Path(text).read_text("utf-8") if Path(text).is_file() else text for text in given.log_key]
        policy = given.policy.read_text("utf-8") if given.policy else ""
        roots = x509.load_pem_x509_certificates(given.tsa_roots.read_bytes()) if given.tsa_roots else []
        verdict = verify(given.file, Anchors("\n".join(texts).split("\n"), policy, roots))
    except (OSError, ValueError, Wrong) as error:
        parser.exit(2, f"could not be checked / 无法核实: {error}\n")
    show(verdict, given.lang)
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())
