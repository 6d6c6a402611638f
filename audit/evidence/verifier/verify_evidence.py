# SPDX-License-Identifier: Apache-2.0
r"""Checks an evidence file of a Tallygate record. Needs Python 3.11 and `cryptography` 47, nothing else of ours.

    python verify_evidence.py FILE --log-key KEYS --policy POLICY --tsa-roots ROOTS.pem [--lang en|zh]

What you give by hand is what you trust: the log's public keys (KEYS: a file with one key a line, or a key itself),
the policy that says whose cosignatures are enough, and the root certificates of the time-stamping authority. Get them
from the site's publication or from the court's files, never from FILE. What you do not give is taken from FILE only to
see whether it fits together; it is then called "claimed" and the result is "could not be checked".

Exit code: 0 everything in the file is proved; 1 something is false; 2 something could not be checked.

What FILE is: a ZIP in the form of ASiC-E (ETSI EN 319 162-1): `mimetype` first, and besides

    META-INF/manifest.json   SHA-256 of every other file, and what the file says of itself
    entries/N.json           the very bytes that the log holds at place N
    proofs/N.tlog-proof      how entry N leads to the checkpoint (C2SP tlog-proof)
    openings/N.json          the secret that opens the personal part of entry N, and what it says
    log/checkpoint           the log's signed statement of its size and root, with cosignatures (C2SP tlog-checkpoint)
    log/keys, log/policy     keys and policy as the file claims them
    time/...                 an RFC 3161 token, the checkpoint it stamps, and the proof that one of the two
                             checkpoints continues the other; the authority's certificates as the file claims them
    report.pdf, README.txt, verify_evidence.py    for people

How the checks work, in the order in which they are made:

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
6. Time. The token is a CMS SignedData over a TSTInfo whose imprint is SHA-256 of the stamped checkpoint's text; signed
   by a certificate for time-stamping only, which leads to a root you gave. The stamped checkpoint is signed by the same
   log and is consistent with the other one (RFC 9162, 2.1.4.2).
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding

FORMAT = "tallygate-evidence/1"
MIMETYPE = b"application/vnd.etsi.asic-e+zip"
MANIFEST = "META-INF/manifest.json"
N = r"(?:0|[1-9][0-9]{0,15})"
# Every name a file may have, and how many bytes it may be long.
NAMES = {
    r"mimetype": 64,
    re.escape(MANIFEST): 1 << 26,
    rf"entries/{N}\.json": 65_535,
    rf"proofs/{N}\.tlog-proof": 1 << 20,
    rf"openings/{N}\.json": 1 << 18,
    r"log/checkpoint|log/keys|log/policy|time/checkpoint|time/consistency|time/certificates\.pem": 1 << 20,
    r"time/token\.tst": 1 << 16,
    r"report\.pdf": 1 << 28,
    r"README\.txt|verify_evidence\.py": 1 << 20,
}
MOST_FILES, MOST_BYTES = 400_000, 1 << 32
SKEW = timedelta(minutes=1)
PROVED, FALSE, UNCHECKED = "proved", "false", "could not be checked"


class Wrong(Exception):
    """Something is not as it must be; in English and Chinese."""


@dataclass
class Anchors:
    """What is trusted, given by whoever checks."""

    log_keys: Sequence[str] = ()
    policy: str = ""
    tsa_roots: Sequence[x509.Certificate] = ()


@dataclass
class Verdict:
    """Every finding in order, and the code with which the program ends."""

    findings: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, state: str, en: str, zh: str) -> None:
        self.findings.append((state, en, zh))

    @property
    def code(self) -> int:
        states = {state for state, _, _ in self.findings}
        return 1 if FALSE in states else 2 if UNCHECKED in states else 0

    @contextlib.contextmanager
    def check(self, en: str, zh: str) -> Iterator[None]:
        """One check: proved if it comes to its end, false if it finds something wrong."""
        try:
            yield
        except Wrong as error:
            self.add(FALSE, f"{en}: {error.args[0]}", f"{zh}：{error.args[1]}")
        else:
            self.add(PROVED, en, zh)


def plain(text: object) -> str:
    """Text for the screen: nothing in the file may move the cursor or turn the writing round."""
    return "".join(each if each.isprintable() else f"\\u{{{ord(each):x}}}" for each in str(text))


def loads(raw: bytes) -> Any:
    """JSON in which no name stands twice."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in found}) != len(found):
            raise ValueError("a name stands twice")
        return dict(found)

    try:
        return json.loads(raw, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise Wrong("it is not readable JSON", "不是可读的 JSON") from error


def unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong("its base64 is malformed", "base64 格式有误") from error


# ---- 1. Files ----


class Container:
    """The ZIP, opened; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        try:
            self.zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise Wrong("this is not a whole ZIP file", "不是完整的 ZIP 文件") from error
        self.infos: dict[str, zipfile.ZipInfo] = {}
        found = self.zip.infolist()
        if not found or found[0].filename != "mimetype" or found[0].header_offset != 0 or self.zip.comment:
            raise Wrong("it does not begin with its type", "文件开头不是类型声明")
        for info in found:
            limit = next((size for name, size in NAMES.items() if re.fullmatch(name, info.filename, re.ASCII)), -1)
            name = plain(info.orig_filename)
            if limit < 0 or info.orig_filename != info.filename:
                raise Wrong(f"a file of this name does not belong here: {name}", f"不应有此名称的文件：{name}")
            if info.filename in self.infos:
                raise Wrong(f"two files have one name: {name}", f"两个文件同名：{name}")
            if info.file_size > limit or info.flag_bits & 1 or info.compress_type not in (0, 8):
                raise Wrong(f"a file is too long or packed in another way: {name}", f"文件过长或压缩方式不符：{name}")
            self.infos[info.filename] = info
        if len(found) > MOST_FILES or sum(info.file_size for info in found) > MOST_BYTES:
            raise Wrong("it is too large", "文件总量过大")
        if self.read("mimetype") != MIMETYPE:
            raise Wrong("it is of another type", "类型不符")

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self.infos:
            raise Wrong(f"{name} is missing", f"缺少 {name}")
        left = self.infos[name].file_size
        try:
            with self.zip.open(self.infos[name]) as opened:
                while chunk := opened.read(1 << 16):
                    left -= len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
            raise Wrong(f"{name} is damaged", f"{name} 已损坏") from error
        if left:
            raise Wrong(f"{name} is cut off", f"{name} 不完整")

    def read(self, name: str) -> bytes:
        return b"".join(self.chunks(name))

    def text(self, name: str) -> str:
        try:
            return self.read(name).decode()
        except UnicodeDecodeError as error:
            raise Wrong(f"{name} is not UTF-8", f"{name} 不是 UTF-8") from error

    def numbers(self, folder: str) -> set[int]:
        return {int(name.split("/")[1].split(".")[0]) for name in self.infos if name.startswith(f"{folder}/")}


def check_manifest(box: Container) -> dict[str, Any]:
    manifest = loads(box.read(MANIFEST))
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != FORMAT
        or not isinstance(manifest.get("files"), dict)
    ):
        raise Wrong("the manifest is of another format", "清单格式不符")
    if set(manifest["files"]) != box.infos.keys() - {MANIFEST}:
        raise Wrong("the manifest lists other files", "清单所列文件与实际不符")
    for name, digest in manifest["files"].items():
        found = hashlib.sha256()
        for chunk in box.chunks(name):
            found.update(chunk)
        if found.hexdigest() != digest:
            raise Wrong(f"{name} is not what the manifest says", f"{name} 与清单不符")
    return manifest


# ---- 2. and 3. Checkpoints and cosignatures ----


class Key(NamedTuple):
    """A verifier key: name+id+base64(type, key)."""

    name: str
    type: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "Key":
        parts = text.strip().split("+", 2)
        raw = unbase64(parts[-1])
        key = cls(parts[0], raw[0] if raw else 0, raw[1:])
        if len(parts) != 3 or len(key.public) != {1: 32, 4: 32, 6: 1312}.get(key.type) or key.id.hex() != parts[1]:
            raise Wrong("this is not a verifier key", "不是验证公钥")
        return key

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def verify(self, signature: bytes, message: bytes) -> None:
        try:
            if self.type == 6:
                mldsa.MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise Wrong(f"the signature of {plain(self.name)} is bad", f"{plain(self.name)} 的签名无效") from error


class Checkpoint:
    """A signed note; nothing is believed before ``signed_by`` has passed."""

    def __init__(self, raw: bytes) -> None:
        try:
            text, gap, lines = raw.decode().rpartition("\n\n")
        except UnicodeDecodeError as error:
            raise Wrong("the checkpoint is not UTF-8", "检查点不是 UTF-8") from error
        self.text = text + "\n"
        head = text.split("\n")
        if not gap or len(head) < 3 or not all(head) or not re.fullmatch(N, head[1], re.ASCII):
            raise Wrong("the checkpoint is malformed", "检查点格式有误")
        self.origin, self.size, self.root = head[0], int(head[1]), unbase64(head[2])
        self.lines: list[tuple[str, bytes]] = []
        for line in lines.rstrip("\n").split("\n"):
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            if dash != "\u2014" or not name:
                raise Wrong("a signature line is malformed", "签名行格式有误")
            self.lines.append((name, unbase64(encoded)))

    def signed_by(self, key: Key) -> datetime | None:
        """The time of this key's signature (type 1 has none); None if it has not signed; a bad signature is wrong."""
        latest: datetime | None = None
        for name, raw in self.lines:
            if (name, raw[:4]) != (key.name, key.id):
                continue
            if key.type == 1:
                key.verify(raw[4:], self.text.encode())
                latest = datetime.fromtimestamp(0, UTC)
                continue
            stamp, signature = raw[4:12], raw[12:]
            seconds = int.from_bytes(stamp, "big")
            message = f"cosignature/v1\ntime {seconds}\n{self.text}".encode()
            if key.type == 6:
                cosigner, origin = key.name.encode(), self.origin.encode()
                message = b"subtree/v1\n\0" + bytes([len(cosigner)]) + cosigner + stamp + bytes([len(origin)]) + origin
                message += bytes(8) + self.size.to_bytes(8, "big") + self.root
            key.verify(signature, message)
            if seconds > 253_402_300_799:
                raise Wrong("a signature's time is none", "签名时间无效")
            latest = datetime.fromtimestamp(seconds, UTC)
        return latest

    def of_log(self, keys: Iterable[Key]) -> list[Key]:
        """Which of the log's keys signed; the Ed25519 key must, and whatever is there must hold."""
        good = [key for key in keys if key.name == self.origin and self.signed_by(key)]
        if not any(key.type == 1 for key in good):
            raise Wrong("the log's key has not signed it", "日志公钥未签署该检查点")
        return good


def check_policy(policy: str, checkpoint: Checkpoint) -> list[str]:
    """The witnesses that cosigned, if they are enough (C2SP tlog-policy)."""
    counted: dict[str, bool] = {"none": True}
    cosigned: list[str] = []
    verdict: bool | None = None
    for line in policy.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#") or words[0] == "log":
            continue
        if words[0] == "witness" and len(words) in (3, 4) and words[1] not in counted:
            at = checkpoint.signed_by(Key.parse(words[2]))
            counted[words[1]] = at is not None
            if at is not None:
                cosigned.append(f"{words[1]} ({at:%Y-%m-%d %H:%M:%S} UTC)")
        elif words[0] == "group" and len(words) > 3 and words[1] not in counted and set(words[3:]) <= counted.keys():
            members = words[3:]
            least = {"any": "1", "all": str(len(members))}.get(words[2], words[2])
            if not re.fullmatch("[1-9][0-9]*", least, re.ASCII) or len(set(members)) != len(members):
                raise Wrong("the policy is malformed", "策略格式有误")
            counted[words[1]] = sum(counted[member] for member in members) >= int(least)
        elif words[0] == "quorum" and len(words) == 2 and words[1] in counted and verdict is None:
            verdict = counted[words[1]]
        else:
            raise Wrong("the policy is malformed", "策略格式有误")
    if not verdict:
        raise Wrong("too few witnesses have cosigned it", "共同签署的见证方不足")
    return cosigned


# ---- 4. Entries and proofs ----


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def check_inclusion(leaf: bytes, index: int, checkpoint: Checkpoint, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.3.2."""
    fn, sn, running = index, checkpoint.size - 1, leaf
    for sibling in path:
        if sn <= 0:
            raise Wrong("the proof is too long", "证明过长")
        if fn & 1 or fn == sn:
            running = node(sibling, running)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            running = node(running, sibling)
        fn, sn = fn >> 1, sn >> 1
    if index >= checkpoint.size or sn or running != checkpoint.root:
        raise Wrong("its bytes do not lead to the signed root", "其字节不能推导出已签名的根")


def check_consistency(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the newer tree continues the older one."""
    wrong = Wrong("the two checkpoints are not of one history", "两个检查点不属于同一历史")
    if old.origin != new.origin or not 0 < old.size <= new.size:
        raise wrong
    if old.size == new.size:
        if path or old.root != new.root:
            raise wrong
        return
    path = [old.root, *path] if old.size & (old.size - 1) == 0 else list(path)
    fn, sn = old.size - 1, new.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not path:
        raise wrong
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise wrong
        if fn & 1 or fn == sn:
            first, second = node(sibling, first), node(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn or first != old.root or second != new.root:
        raise wrong


def check_entry(box: Container, index: int, checkpoint: Checkpoint, note: str) -> dict[str, Any]:
    raw, proof = box.read(f"entries/{index}.json"), box.text(f"proofs/{index}.tlog-proof")
    head, _, rest = proof.partition("\n\n")
    lines = head.split("\n")
    if lines[:2] != ["c2sp.org/tlog-proof@v1", f"index {index}"]:
        raise Wrong("its proof is of another entry or format", "其证明属于其他记录或格式不符")
    if rest != note:
        raise Wrong("its proof leads to another checkpoint", "其证明指向另一个检查点")
    check_inclusion(hashlib.sha256(b"\0" + raw).digest(), index, checkpoint, [unbase64(line) for line in lines[2:]])
    entry = loads(raw)
    if not isinstance(entry, dict) or not isinstance(entry.get("metadata"), dict):
        raise Wrong("it is not an entry of this kind of log", "不是此类日志的记录")
    return entry


# ---- 5. Openings ----


def derived(secret: bytes, what: str) -> bytes:
    info = f"tallygate entry {what} v1".encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)


def check_opening(opening: Any, index: int, entry: dict[str, Any]) -> dict[str, str]:
    """What the entry's personal part says, if this opening is the entry's own."""
    try:
        sealed = unbase64(str(entry["unmapped"]["ciphertext"]))
        secret = bytes.fromhex(opening["secret"])
        claimed, number = opening["facts"], opening["index"]
        bound = [str(entry["metadata"][name]) for name in ("uid", "event_code", "log_provider")]
    except (KeyError, TypeError, ValueError) as error:
        raise Wrong("it is malformed", "格式有误") from error
    salt, commitment, ciphertext = sealed[9:21], sealed[21:53], sealed[53:]
    if number != index or sealed[:1] != b"\1" or len(secret) != 32:
        raise Wrong("it does not belong to this entry", "不属于该记录")
    if not hmac.compare_digest(derived(secret, "commitment"), commitment):
        raise Wrong("its secret is not the one the entry commits to", "密值与记录中的承诺不符")
    # It is bound to whom the entry is about: one of those whom the entry names, and only that one opens it.
    for subject in sorted(set(identifiers(entry))):
        try:
            text = AESGCM(derived(secret, "key")).decrypt(salt, ciphertext, "\n".join([*bound, subject]).encode())
            facts = loads(text)
        except (InvalidTag, ValueError):
            continue
        if facts != claimed:
            raise Wrong("the entry says something else", "记录内容与其不同")
        return dict(facts)
    raise Wrong("its secret does not open the entry", "密值不能打开该记录")


def identifiers(said: Any) -> Iterator[str]:
    """Everybody and everything that a document names by identifier."""
    for name, value in said.items() if isinstance(said, dict) else enumerate(said if isinstance(said, list) else ()):
        if name in ("uid", "subject") and isinstance(value, str):
            yield value
        else:
            yield from identifiers(value)


# ---- 6. Time ----


class Der:
    """One value in DER, read strictly: one spelling for lengths, nothing behind the end."""

    def __init__(self, data: bytes) -> None:
        self.raw = data
        head, length = 2, data[1] if len(data) > 1 else 0x80
        if length & 0x80:
            head = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:head], "big")
            if not 3 <= head <= 6 or length < 0x80 or data[2:3] == b"\0":
                raise Wrong("the token is not DER", "令牌不是 DER 编码")
        if data[0] & 0x1F == 0x1F or len(data) < head + length:
            raise Wrong("the token is not DER", "令牌不是 DER 编码")
        self.tag, self.body, self.rest = data[0], data[head : head + length], data[head + length :]
        self.raw = data[: head + length]

    def __iter__(self) -> Iterator["Der"]:
        rest = self.body
        while rest:
            part = Der(rest)
            yield part
            rest = part.rest

    def parts(self, *tags: int) -> list["Der"]:
        """The parts of a sequence, of which the first ones have these tags."""
        found = list(self)
        if [part.tag for part in found[: len(tags)]] != list(tags):
            raise Wrong("the token has another shape", "令牌结构不符")
        return found


def oid(dotted: str) -> bytes:
    """The body of an object identifier."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray()
    for number in (first * 40 + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return bytes(out)


HASHES: dict[bytes, hashes.HashAlgorithm] = {
    oid("2.16.840.1.101.3.4.2.1"): hashes.SHA256(),
    oid("2.16.840.1.101.3.4.2.2"): hashes.SHA384(),
    oid("2.16.840.1.101.3.4.2.3"): hashes.SHA512(),
}
# Signature algorithms that name their hash: ECDSA and RSA (PKCS #1 v1.5) with SHA-256, SHA-384, SHA-512.
SIGNATURES = {
    oid(f"{arc}.{last + step}"): algorithm
    for arc, last in (("1.2.840.10045.4.3", 2), ("1.2.840.113549.1.1", 11))
    for step, algorithm in enumerate(HASHES.values())
}
RSA, RSA_PSS = oid("1.2.840.113549.1.1.1"), oid("1.2.840.113549.1.1.10")
SIGNED_DATA, TST_INFO = oid("1.2.840.113549.1.7.2"), oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
NAMES_SIGNER = {oid("1.2.840.113549.1.9.16.2.12"): hashlib.sha1, oid("1.2.840.113549.1.9.16.2.47"): hashlib.sha256}


def check_token(token: bytes, text: str, roots: Sequence[x509.Certificate]) -> tuple[datetime, x509.Certificate]:
    """The token's time and its signer, if it stamps this text; with no roots the chain is left unchecked."""
    try:
        return _check_token(token, text, roots)
    except (IndexError, ValueError, TypeError, KeyError, x509.ExtensionNotFound, InvalidSignature) as error:
        raise Wrong("the token is malformed or not signed", "令牌格式有误或签名无效") from error


def _check_token(token: bytes, text: str, roots: Sequence[x509.Certificate]) -> tuple[datetime, x509.Certificate]:
    kind, wrapped = Der(token).parts(0x06, 0xA0)
    _, _, content, *more = Der(wrapped.body).parts(0x02, 0x31, 0x30)
    content_type, wrapped_info = content.parts(0x06, 0xA0)
    if kind.body != SIGNED_DATA or content_type.body != TST_INFO or Der(token).rest:
        raise Wrong("it is not a time-stamp token", "不是时间戳令牌")
    info = Der(wrapped_info.body).body
    pool = [x509.load_der_x509_certificate(each.raw) for part in more if part.tag == 0xA0 for each in part]
    [signer_info] = list(more[-1])
    _, sid, digest_algorithm, attributes, signature_algorithm, signature, *_ = signer_info.parts(
        0x02, 0x30, 0x30, 0xA0, 0x30, 0x04
    )
    issuer, serial = sid.parts(0x30, 0x02)
    number = int.from_bytes(serial.body, "big", signed=True)
    signer = next(each for each in pool if each.issuer.public_bytes() == issuer.raw and each.serial_number == number)
    named = {each.parts(0x06, 0x31)[0].body: Der(each.parts()[1].body) for each in attributes}
    algorithm = HASHES[digest_algorithm.parts(0x06)[0].body]
    digest = hashlib.new(algorithm.name, info).digest()
    if named[CONTENT_TYPE].body != TST_INFO or named[MESSAGE_DIGEST].body != digest:
        raise Wrong("what is signed is something else", "签名的内容不同")
    _signed(signer, signature_algorithm.parts(0x06)[0].body, algorithm, signature.body, b"\x31" + attributes.raw[1:])
    _names(signer, named)
    version, _, imprint, _, time, *_ = Der(info).parts(0x02, 0x06, 0x30, 0x02, 0x18)
    hashed = imprint.parts(0x30, 0x04)
    stamped = hashlib.new(HASHES[hashed[0].parts(0x06)[0].body].name, text.encode()).digest()
    if version.body != b"\1" or hashed[1].body != stamped:
        raise Wrong("it stamps something else", "令牌针对的是其他内容")
    at = datetime.strptime(time.body.decode("ascii").split(".")[0].rstrip("Z") + "Z", "%Y%m%d%H%M%SZ").replace(
        tzinfo=UTC
    )
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Wrong("its signer's certificate is not for time-stamping alone", "签名证书并非仅用于时间戳")
    if not signer.not_valid_before_utc <= at <= signer.not_valid_after_utc:
        raise Wrong("its signer's certificate was not valid at that time", "签名证书当时无效")
    if roots and not _leads(signer, roots, pool, at, 0):
        raise Wrong("its signer does not lead to a root you gave", "签名者不能追溯到您提供的根证书")
    return at, signer


def _signed(
    signer: x509.Certificate, name: bytes, digest: hashes.HashAlgorithm, signature: bytes, message: bytes
) -> None:
    key = signer.public_key()
    algorithm = SIGNATURES.get(name, digest)
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(SIGNATURES[name]))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
    elif isinstance(key, rsa.RSAPublicKey) and name == RSA_PSS:
        key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
    elif isinstance(key, rsa.RSAPublicKey) and (name in SIGNATURES or name == RSA):
        key.verify(signature, message, padding.PKCS1v15(), algorithm)
    else:
        raise Wrong("it is signed in a way that is not known here", "签名算法未知")


def _names(signer: x509.Certificate, named: dict[bytes, Der]) -> None:
    """What is signed names the signer's certificate (RFC 5035), so that no other one can be put in its place."""
    for kind, default in NAMES_SIGNER.items():
        if kind in named:
            first = next(iter(next(iter(named[kind])))).parts()
            algorithm = (
                first[0].parts(0x06)[0].body if first[0].tag == 0x30 and len(first) > 1 and first[1].tag == 4 else b""
            )
            wanted = next(part.body for part in first if part.tag == 0x04)
            name = HASHES[algorithm].name if algorithm else default().name
            if hashlib.new(name, signer.public_bytes(Encoding.DER)).digest() == wanted:
                return
    raise Wrong("it does not name its signer's certificate", "令牌未指明签名证书")


def _leads(
    low: x509.Certificate, roots: Sequence[x509.Certificate], pool: Sequence[x509.Certificate], at: datetime, depth: int
) -> bool:
    """Whether a chain of authorities, each valid at that time, goes up to a root."""
    if low in roots:
        return True
    for high in (*roots, *pool):
        if (
            depth < 5
            and high.subject == low.issuer
            and _issues(high, low, at, depth)
            and _leads(high, roots, pool, at, depth + 1)
        ):
            return True
    return False


def _issues(high: x509.Certificate, low: x509.Certificate, at: datetime, depth: int) -> bool:
    try:
        low.verify_directly_issued_by(high)
        basic = high.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage: Callable[[], x509.KeyUsage] = lambda: high.extensions.get_extension_for_class(x509.KeyUsage).value  # noqa: E731
        unknown = any(each.critical and isinstance(each.value, x509.UnrecognizedExtension) for each in high.extensions)
        may_sign = usage().key_cert_sign
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    long_enough = basic.path_length is None or basic.path_length >= depth
    return (
        basic.ca
        and may_sign
        and long_enough
        and not unknown
        and high.not_valid_before_utc <= at <= high.not_valid_after_utc
    )


# ---- All of it ----

NOT_PROVED = (
    ("that what a service reported had really happened as it reported it", "服务所报告的事情确实如其所报告的那样发生"),
    ("that nothing else was recorded: the entries were chosen by whoever made the file",
     "没有其他记录：文件中的记录由制作者选取"),
    ("what report.pdf says in words: it is as it was made; a seal on it is checked by other means",
     "report.pdf 的文字内容：仅证明其制作后未变，其上的印章须另行验证"),
)  # fmt: skip


def verify(path: Path, anchors: Anchors) -> Verdict:
    """Check a file; every finding is in the answer, and nothing is raised for what is wrong with the file."""
    verdict = Verdict()
    with verdict.check("the file is whole and holds what its manifest lists", "文件完整，内容与清单一致"):
        box = Container(path)
        check_manifest(box)
    if verdict.code:
        return verdict
    policy_logs = [words[1] for line in anchors.policy.split("\n") if (words := line.split())[:1] == ["log"]]
    try:
        given = [Key.parse(line) for line in (*anchors.log_keys, *policy_logs) if line.strip()]
    except Wrong:
        verdict.add(UNCHECKED, "a key you gave is not a verifier key", "您提供的公钥不是验证公钥")
        return verdict
    with verdict.check("the log's signatures on the checkpoint", "日志对检查点的签名"):
        note = box.text("log/checkpoint")
        checkpoint = Checkpoint(note.encode())
        keys = given or [Key.parse(line) for line in box.text("log/keys").split("\n") if line.strip()]
        signed = checkpoint.of_log(keys)
    if verdict.code:
        return verdict
    names = ", ".join(f"{plain(key.name)}+{key.id.hex()}" for key in signed)
    if given:
        verdict.add(PROVED, f"signed by the keys you gave: {names}", f"由您提供的公钥签署：{names}")
    else:
        verdict.add(
            UNCHECKED, f"the log's keys are only claimed: give --log-key ({names})",
            f"日志公钥仅为文件自称：请提供 --log-key（{names}）",
        )  # fmt: skip
    _witnesses(box, checkpoint, anchors, verdict)
    times = _entries(box, checkpoint, note, verdict)
    _time(box, checkpoint, keys, anchors, verdict, times)
    return verdict


def _witnesses(box: Container, checkpoint: Checkpoint, anchors: Anchors, verdict: Verdict) -> None:
    if anchors.policy:
        with verdict.check("enough witnesses have cosigned the checkpoint", "足够的见证方已共同签署检查点"):
            for each in check_policy(anchors.policy, checkpoint):
                verdict.add(PROVED, f"cosigned by {plain(each)}", f"已由 {plain(each)} 共同签署")
    elif "log/policy" in box.infos:
        verdict.add(UNCHECKED, "the witnesses are only claimed: give --policy", "见证方仅为文件自称：请提供 --policy")


def _entries(box: Container, checkpoint: Checkpoint, note: str, verdict: Verdict) -> dict[int, datetime]:
    entries, proofs, openings = (box.numbers(folder) for folder in ("entries", "proofs", "openings"))
    times: dict[int, datetime] = {}
    if not entries or entries != proofs or not openings <= entries:
        verdict.add(FALSE, "entries and proofs do not belong together", "记录与证明不对应")
    for index in sorted(entries & proofs):
        with verdict.check(f"entry {index} is in the log", f"第 {index} 条记录在日志中"):
            entry = check_entry(box, index, checkpoint, note)
            try:
                times[index] = datetime.fromtimestamp(int(entry["time"]) / 1000, UTC)
            except (KeyError, ValueError, TypeError, OverflowError, OSError) as error:
                raise Wrong("it has no time", "没有时间") from error
            kind, status = plain(entry["metadata"].get("event_code")), plain(entry.get("status_code"))
            said = f"{times[index]:%Y-%m-%d %H:%M:%S} UTC, {kind}, {status}"
            verdict.add(PROVED, f"entry {index} says: {said}", f"第 {index} 条记录内容：{said}")
            if index in openings:
                _opening(box, index, entry, verdict)
    return times


def _opening(box: Container, index: int, entry: dict[str, Any], verdict: Verdict) -> None:
    with verdict.check(f"the opened personal part of entry {index}", f"第 {index} 条记录所公开的个人信息"):
        facts = check_opening(loads(box.read(f"openings/{index}.json")), index, entry)
        for name, value in sorted(facts.items()):
            verdict.add(PROVED, f"entry {index}: {plain(name)} = {plain(value)}",
                        f"第 {index} 条记录：{plain(name)} = {plain(value)}")  # fmt: skip


def _time(  # noqa: PLR0917
    box: Container, checkpoint: Checkpoint, keys: Sequence[Key], anchors: Anchors, verdict: Verdict,
    times: dict[int, datetime],
) -> None:  # fmt: skip
    if "time/token.tst" not in box.infos:
        if anchors.tsa_roots:
            verdict.add(UNCHECKED, "there is no time-stamp in the file", "文件中没有时间戳")
        return
    with verdict.check("the time-stamp over the log", "日志的时间戳"):
        stamped = Checkpoint(box.read("time/checkpoint"))
        stamped.of_log(keys)
        path = [unbase64(line) for line in box.text("time/consistency").split("\n") if line]
        old, new = sorted((checkpoint, stamped), key=lambda each: each.size)
        check_consistency(old, new, path)
        at, signer = check_token(box.read("time/token.tst"), stamped.text, anchors.tsa_roots)
        late = [index for index, said in times.items() if index >= stamped.size or said > at + SKEW]
        if late:
            raise Wrong(f"it does not cover entry {late[0]}", f"未覆盖第 {late[0]} 条记录")
        who = plain(signer.subject.rfc4514_string())
        said = f"{at:%Y-%m-%d %H:%M:%S} UTC"
        if anchors.tsa_roots:
            verdict.add(PROVED, f"every entry existed at {said}, says {who}", f"{who} 证明：所有记录在 {said} 已存在")
        else:
            verdict.add(UNCHECKED, f"the authority is only claimed ({who}, {said}): give --tsa-roots",
                        f"时间戳机构仅为文件自称（{who}，{said}）：请提供 --tsa-roots")  # fmt: skip


def show(verdict: Verdict, language: str) -> None:
    """The findings and the result, for people."""
    words = {PROVED: "已证明", FALSE: "不成立", UNCHECKED: "无法核实"} if language == "zh" else {}
    result = {0: ("everything in this file is proved", "文件中的一切均已证明"),
              1: ("SOMETHING IN THIS FILE IS FALSE", "文件中有内容不成立"),
              2: ("something could not be checked", "有内容无法核实")}[verdict.code]  # fmt: skip
    column = 2 if language == "zh" else 1
    for finding in verdict.findings:
        print(f"[{words.get(finding[0], finding[0])}] {finding[column]}")
    print("\n" + ("本程序不能证明：" if words else "What this does not prove:"))
    for each in NOT_PROVED:
        print(f"  - {each[column - 1]}")
    print("\n" + ("结论：" if words else "RESULT: ") + result[column - 1])


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
        keys = [line for text in given.log_key
                for line in (Path(text).read_text("utf-8") if Path(text).is_file() else text).split("\n")]  # fmt: skip
        policy = given.policy.read_text("utf-8") if given.policy else ""
        roots = x509.load_pem_x509_certificates(given.tsa_roots.read_bytes()) if given.tsa_roots else []
        verdict = verify(given.file, Anchors([key for key in keys if key.strip()], policy, roots))
    except (OSError, ValueError) as error:
        parser.exit(2, f"could not be checked / 无法核实: {plain(error)}\n")
    show(verdict, given.lang)
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())
