# SPDX-License-Identifier: Apache-2.0
r"""Checks an evidence file of a Tallygate record. Needs Python 3.11 and `cryptography` 47, nothing else of ours.

    python verify_evidence.py FILE --log-key KEYS --policy POLICY --tsa-roots ROOTS.pem [--lang en|zh]

What you give by hand is what you trust: the log's public keys (KEYS: a file with one key a line, or a key itself), the
policy that says whose cosignatures are enough, the root certificates of the time-stamping authority. Get them from the
site's publication or the court's files, never from FILE. What you do not give is taken from FILE only to see whether it
fits together; it is then called "claimed", and the result is "could not be checked".

Exit code: 0 everything in the file is proved; 1 something is false; 2 something could not be checked.

FILE is a ZIP in the form of ASiC-E (ETSI EN 319 162-1): `mimetype` first, and besides
    META-INF/manifest.json   SHA-256 of every other file, and what the file says of itself
    entries/N.json           the very bytes that the log holds at place N
    proofs/N.tlog-proof      how entry N leads to the checkpoint (C2SP tlog-proof)
    openings/N.json          the secret that opens the personal part of entry N, and what it says
    log/checkpoint           the log's signed statement of its size and root, with cosignatures (C2SP tlog-checkpoint)
    log/keys, log/policy     keys and policy as the file claims them
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
import zlib
from collections.abc import Iterable, Iterator, Sequence
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
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

FORMAT, MIMETYPE, MANIFEST = "tallygate-evidence/1", b"application/vnd.etsi.asic-e+zip", "META-INF/manifest.json"
N = r"(?:0|[1-9][0-9]{0,15})"
# Every name a file may have, and how many bytes it may be long.
NAMES = {
    r"mimetype": 64,
    re.escape(MANIFEST): 1 << 26,
    rf"entries/{N}\.json": 65_535,
    rf"openings/{N}\.json": 1 << 18,
    r"time/token\.tst": 1 << 16,
    rf"proofs/{N}\.tlog-proof|log/(?:checkpoint|keys|policy)|time/(?:checkpoint|consistency|certificates\.pem)": 1
    << 20,
    r"README\.txt|verify_evidence\.py": 1 << 20,
    r"report\.pdf": 1 << 28,
}
MOST_FILES, MOST_BYTES = 400_000, 1 << 32
SKEW = timedelta(minutes=1)
PROVED, FALSE, UNCHECKED = "proved", "false", "could not be checked"


class Wrong(Exception):
    """Something is not as it must be; in English and Chinese."""


# What Python and `cryptography` raise for what they cannot read or what is not signed.
UNREADABLE = (
    *(ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError, StopIteration, EOFError, OSError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error, x509.ExtensionNotFound, InvalidSignature, InvalidTag),
)


@contextlib.contextmanager
def otherwise(en: str, zh: str) -> Iterator[None]:
    """What cannot be read is wrong, in these words."""
    try:
        yield
    except UNREADABLE as error:
        raise Wrong(en, zh) from error


class Anchors(NamedTuple):
    """What is trusted, given by whoever checks."""

    log_keys: Sequence[str] = ()
    policy: str = ""
    tsa_roots: Sequence[x509.Certificate] = ()


class Verdict:
    """Every finding in order, and the code with which the program ends."""

    def __init__(self) -> None:
        self.findings: list[tuple[str, str, str]] = []

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
        if len(dict(found)) != len(found):
            raise ValueError("a name stands twice")
        return dict(found)

    with otherwise("it is not readable JSON", "不是可读的 JSON"):
        return json.loads(raw, object_pairs_hook=pairs)


def unbase64(text: str) -> bytes:
    with otherwise("its base64 is malformed", "base64 格式有误"):
        return base64.b64decode(text, validate=True)


# ---- 1. Files ----


class Container:
    """The ZIP, opened; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        with otherwise("this is not a whole ZIP file", "不是完整的 ZIP 文件"):
            self.zip = zipfile.ZipFile(path)
        found, self.infos = self.zip.infolist(), dict[str, zipfile.ZipInfo]()
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
        with otherwise(f"{name} is damaged", f"{name} 已损坏"), self.zip.open(self.infos[name]) as opened:
            while chunk := opened.read(1 << 16):
                left -= len(chunk)
                yield chunk
        if left:
            raise Wrong(f"{name} is cut off", f"{name} 不完整")

    def read(self, name: str) -> bytes:
        return b"".join(self.chunks(name))

    def text(self, name: str) -> str:
        with otherwise(f"{name} is not UTF-8", f"{name} 不是 UTF-8"):
            return self.read(name).decode()

    def numbers(self, folder: str) -> set[int]:
        return {int(name.split("/")[1].split(".")[0]) for name in self.infos if name.startswith(f"{folder}/")}

    def check_manifest(self) -> None:
        manifest = loads(self.read(MANIFEST))
        listed = manifest.get("files") if isinstance(manifest, dict) else None
        if not isinstance(listed, dict) or manifest.get("format") != FORMAT:
            raise Wrong("the manifest is of another format", "清单格式不符")
        if set(listed) != self.infos.keys() - {MANIFEST}:
            raise Wrong("the manifest lists other files", "清单所列文件与实际不符")
        for name, digest in listed.items():
            found = hashlib.sha256()
            for chunk in self.chunks(name):
                found.update(chunk)
            if found.hexdigest() != digest:
                raise Wrong(f"{name} is not what the manifest says", f"{name} 与清单不符")


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
        kind = mldsa.MLDSA44PublicKey if self.type == 6 else ed25519.Ed25519PublicKey
        with otherwise(f"the signature of {plain(self.name)} is bad", f"{plain(self.name)} 的签名无效"):
            kind.from_public_bytes(self.public).verify(signature, message)


class Checkpoint:
    """A signed note; nothing is believed before ``signed_by`` has passed."""

    def __init__(self, note: str) -> None:
        text, gap, lines = note.rpartition("\n\n")
        head, self.text, self.lines = text.split("\n"), text + "\n", list[tuple[str, bytes]]()
        if not gap or len(head) < 3 or not all(head) or not re.fullmatch(N, head[1], re.ASCII):
            raise Wrong("the checkpoint is malformed", "检查点格式有误")
        self.origin, self.size, self.root = head[0], int(head[1]), unbase64(head[2])
        for line in lines.rstrip("\n").split("\n"):
            dash, name, encoded = [*line.split(" ", 2), "", ""][:3]
            if dash != "\u2014" or not name:
                raise Wrong("a signature line is malformed", "签名行格式有误")
            self.lines.append((name, unbase64(encoded)))

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
    counted, verdict = {"none": True}, None
    cosigned: list[str] = []
    for line in policy.split("\n"):
        kind, name, *rest = [*line.split(), "", ""]
        rest = rest[:-2] if name else []
        if not kind or kind.startswith("#") or kind == "log":
            continue
        if kind == "witness" and len(rest) in (1, 2) and name not in counted:
            at = checkpoint.signed_by(Key.parse(rest[0]))
            counted[name] = at is not None
            cosigned += [f"{name} ({at:%Y-%m-%d %H:%M:%S} UTC)"] if at else []
        elif kind == "group" and len(rest) > 1 and name not in counted and set(rest[1:]) <= counted.keys():
            least = {"any": "1", "all": str(len(rest) - 1)}.get(rest[0], rest[0])
            if not re.fullmatch("[1-9][0-9]*", least, re.ASCII) or len(set(rest[1:])) != len(rest) - 1:
                raise Wrong("the policy is malformed", "策略格式有误")
            counted[name] = sum(counted[member] for member in rest[1:]) >= int(least)
        elif kind == "quorum" and not rest and name in counted and verdict is None:
            verdict = counted[name]
        else:
            raise Wrong("the policy is malformed", "策略格式有误")
    if not verdict:
        raise Wrong("too few witnesses have cosigned it", "共同签署的见证方不足")
    return cosigned


# ---- 4. Entries and proofs ----


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def climb(fn: int, sn: int, first: bytes, second: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes, bool]:
    """Up the tree from a node and its level's last one: the older root, the newer, and whether the path fits."""
    for sibling in path:
        if sn == 0:
            return first, second, False
        if fn & 1 or fn == sn:
            first, second = node(sibling, first), node(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    return first, second, sn == 0


def check_inclusion(leaf: bytes, index: int, checkpoint: Checkpoint, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.3.2."""
    _, root, fits = climb(index, checkpoint.size - 1, leaf, leaf, path)
    if index >= checkpoint.size or not fits or root != checkpoint.root:
        raise Wrong("its bytes do not lead to the signed root", "其字节不能推导出已签名的根")


def check_consistency(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the newer tree continues the older one."""
    fine = old.origin == new.origin and 0 < old.size <= new.size
    if old.size == new.size:
        fine = fine and not path and old.root == new.root
    elif fine:
        path = [old.root, *path] if old.size & (old.size - 1) == 0 else path
        fn, sn = old.size - 1, new.size - 1
        while fn & 1:
            fn, sn = fn >> 1, sn >> 1
        first, second, fits = climb(fn, sn, path[0], path[0], path[1:]) if path else (b"", b"", False)
        fine = fits and first == old.root and second == new.root
    if not fine:
        raise Wrong("the two checkpoints are not of one history", "两个检查点不属于同一历史")


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
    return HKDF(hashes.SHA256(), length=32, salt=None, info=f"tallygate entry {what} v1".encode()).derive(secret)


def check_opening(opening: Any, index: int, entry: dict[str, Any]) -> dict[str, str]:
    """What the entry's personal part says, if this opening is the entry's own."""
    with otherwise("it is malformed", "格式有误"):
        sealed, secret = unbase64(str(entry["unmapped"]["ciphertext"])), bytes.fromhex(opening["secret"])
        claimed, number = opening["facts"], opening["index"]
        bound = [str(entry["metadata"][name]) for name in ("uid", "event_code", "log_provider")]
    salt, commitment, ciphertext = sealed[9:21], sealed[21:53], sealed[53:]
    if number != index or sealed[:1] != b"\1" or len(secret) != 32:
        raise Wrong("it does not belong to this entry", "不属于该记录")
    if not hmac.compare_digest(derived(secret, "commitment"), commitment):
        raise Wrong("its secret is not the one the entry commits to", "密值与记录中的承诺不符")
    # It is bound to whom the entry is about: one of those whom the entry names, and only that one opens it.
    for subject in sorted(set(identifiers(entry))):
        try:
            text = AESGCM(derived(secret, "key")).decrypt(salt, ciphertext, "\n".join([*bound, subject]).encode())
        except (InvalidTag, ValueError):
            continue
        facts = loads(text)
        if facts != claimed or not isinstance(facts, dict):
            raise Wrong("the entry says something else", "记录内容与其不同")
        return facts
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
        head, length = 2, data[1] if len(data) > 1 else 0x80
        if length & 0x80:
            head = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:head], "big")
        spelled = head == 2 or (3 <= head <= 6 and length >= 0x80 and data[2] != 0)
        if not spelled or data[0] & 0x1F == 0x1F or len(data) < head + length:
            raise Wrong("the token is not DER", "令牌不是 DER 编码")
        end = head + length
        self.tag, self.body, self.rest, self.raw = data[0], data[head:end], data[end:], data[:end]

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
    out = bytes([first * 40 + second])
    for number in rest:
        out += bytes(number >> 7 * n & 0x7F | 0x80 * (n > 0) for n in (4, 3, 2, 1, 0) if n == 0 or number >> 7 * n)
    return out


SHA2: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
HASHES = {oid(f"2.16.840.1.101.3.4.2.{last}"): each for last, each in enumerate(SHA2, 1)}
# Signature algorithms that name their hash: ECDSA and RSA (PKCS #1 v1.5) with SHA-256, SHA-384, SHA-512.
SIGNATURES = {
    oid(f"{arc}.{last}"): algorithm
    for arc, first in (("1.2.840.10045.4.3", 2), ("1.2.840.113549.1.1", 11))
    for last, algorithm in enumerate(SHA2, first)
}
RSA, RSA_PSS = oid("1.2.840.113549.1.1.1"), oid("1.2.840.113549.1.1.10")
SIGNED_DATA, TST_INFO = oid("1.2.840.113549.1.7.2"), oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
NAMES_SIGNER = {oid("1.2.840.113549.1.9.16.2.12"): "sha1", oid("1.2.840.113549.1.9.16.2.47"): "sha256"}


def check_token(token: bytes, text: str, roots: Sequence[x509.Certificate]) -> tuple[datetime, x509.Certificate]:
    """The token's time and its signer, if it stamps this text; with no roots the chain is left unchecked."""
    kind, wrapped = Der(token).parts(0x06, 0xA0)
    _, _, content, *more = Der(wrapped.body).parts(0x02, 0x31, 0x30)
    content_type, wrapped_info = content.parts(0x06, 0xA0)
    if kind.body != SIGNED_DATA or content_type.body != TST_INFO or Der(token).rest:
        raise Wrong("it is not a time-stamp token", "不是时间戳令牌")
    info = Der(wrapped_info.body).body
    pool = [x509.load_der_x509_certificate(each.raw) for part in more if part.tag == 0xA0 for each in part]
    [signed] = list(more[-1])
    _, sid, hashed, attributes, algorithm, signature, *_ = signed.parts(0x02, 0x30, 0x30, 0xA0, 0x30, 0x04)
    issuer, serial = sid.parts(0x30, 0x02)
    number = int.from_bytes(serial.body, "big", signed=True)
    signer = next(each for each in pool if each.issuer.public_bytes() == issuer.raw and each.serial_number == number)
    named = {each.parts(0x06, 0x31)[0].body: Der(each.parts()[1].body) for each in attributes}
    digest = HASHES[hashed.parts(0x06)[0].body]
    if named[CONTENT_TYPE].body != TST_INFO or named[MESSAGE_DIGEST].body != hashlib.new(digest.name, info).digest():
        raise Wrong("what is signed is something else", "签名的内容不同")
    _signed(signer, algorithm.parts(0x06)[0].body, digest, signature.body, b"\x31" + attributes.raw[1:])
    _names(signer, named)
    version, _, imprint, _, time, *_ = Der(info).parts(0x02, 0x06, 0x30, 0x02, 0x18)
    stamped_by, stamped = imprint.parts(0x30, 0x04)
    wanted = hashlib.new(HASHES[stamped_by.parts(0x06)[0].body].name, text.encode()).digest()
    if version.body != b"\1" or stamped.body != wanted:
        raise Wrong("it stamps something else", "令牌针对的是其他内容")
    seconds = re.split(r"[.Z]", time.body.decode("ascii"))[0]
    at = datetime.strptime(f"{seconds}Z", "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Wrong("its signer's certificate is not for time-stamping alone", "签名证书并非仅用于时间戳")
    if not signer.not_valid_before_utc <= at <= signer.not_valid_after_utc:
        raise Wrong("its signer's certificate was not valid at that time", "签名证书当时无效")
    if roots:
        _leads(signer, roots, pool, at)
    return at, signer


def _signed(
    signer: x509.Certificate, name: bytes, digest: hashes.HashAlgorithm, signature: bytes, message: bytes
) -> None:
    key = signer.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(SIGNATURES[name]))
    elif isinstance(key, rsa.RSAPublicKey) and name == RSA_PSS:
        key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
    elif isinstance(key, rsa.RSAPublicKey) and (name in SIGNATURES or name == RSA):
        key.verify(signature, message, padding.PKCS1v15(), SIGNATURES.get(name, digest))
    else:
        raise Wrong("it is signed in a way that is not known here", "签名算法未知")


def _names(signer: x509.Certificate, named: dict[bytes, Der]) -> None:
    """What is signed names the signer's certificate (RFC 5035), so that no other one can be put in its place."""
    for kind, default in NAMES_SIGNER.items():
        if kind in named:
            first, *more = next(iter(next(iter(named[kind])))).parts()
            other = first.tag == 0x30 and more and more[0].tag == 0x04
            name = HASHES[first.parts(0x06)[0].body].name if other else default
            wanted = more[0] if other else first
            if wanted.tag == 0x04 and hashlib.new(name, signer.public_bytes(Encoding.DER)).digest() == wanted.body:
                return
    raise Wrong("it does not name its signer's certificate", "令牌未指明签名证书")


def _leads(
    signer: x509.Certificate, roots: Sequence[x509.Certificate], pool: list[x509.Certificate], at: datetime
) -> None:
    """By at most five authorities, each valid at that time and allowed to sign certificates, up to a root."""

    def may_sign(_policy: object, _authority: x509.Certificate, usage: x509.KeyUsage) -> None:
        if not usage.key_cert_sign:
            raise ValueError("not an authority's key")

    anything, agnostic = ExtensionPolicy.permit_all(), Criticality.AGNOSTIC
    authority = anything.require_present(x509.BasicConstraints, agnostic, None)
    authority = authority.require_present(x509.KeyUsage, agnostic, may_sign)
    builder = PolicyBuilder().store(Store(list(roots))).time(at).max_chain_depth(5)
    try:
        builder.extension_policies(ca_policy=authority, ee_policy=anything).build_client_verifier().verify(signer, pool)
    except VerificationError as error:
        raise Wrong("its signer does not lead to a root you gave", "签名者不能追溯到您提供的根证书") from error


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
        box.check_manifest()
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
        checkpoint = Checkpoint(note)
        keys = given or [Key.parse(line) for line in box.text("log/keys").split("\n") if line.strip()]
        names = ", ".join(f"{plain(key.name)}+{key.id.hex()}" for key in checkpoint.of_log(keys))
    if verdict.code:
        return verdict
    if given:
        verdict.add(PROVED, f"signed by the keys you gave: {names}", f"由您提供的公钥签署：{names}")
    else:
        verdict.add(UNCHECKED, f"the log's keys are only claimed: give --log-key ({names})",
                    f"日志公钥仅为文件自称：请提供 --log-key（{names}）")  # fmt: skip
    if anchors.policy:
        with verdict.check("enough witnesses have cosigned the checkpoint", "足够的见证方已共同签署检查点"):
            for each in check_policy(anchors.policy, checkpoint):
                verdict.add(PROVED, f"cosigned by {plain(each)}", f"已由 {plain(each)} 共同签署")
    elif "log/policy" in box.infos:
        verdict.add(UNCHECKED, "the witnesses are only claimed: give --policy", "见证方仅为文件自称：请提供 --policy")
    times = _entries(box, checkpoint, note, verdict)
    if "time/token.tst" in box.infos:
        with verdict.check("the time-stamp over the log", "日志的时间戳"):
            _time(box, checkpoint, keys, anchors.tsa_roots, verdict, times)
    elif anchors.tsa_roots:
        verdict.add(UNCHECKED, "there is no time-stamp in the file", "文件中没有时间戳")
    return verdict


def _entries(box: Container, checkpoint: Checkpoint, note: str, verdict: Verdict) -> dict[int, datetime]:
    """Check every entry and opening; when each entry says that it was."""
    entries, proofs, openings = (box.numbers(folder) for folder in ("entries", "proofs", "openings"))
    times: dict[int, datetime] = {}
    if not entries or entries != proofs or not openings <= entries:
        verdict.add(FALSE, "entries and proofs do not belong together", "记录与证明不对应")
    for index in sorted(entries & proofs):
        with verdict.check(f"entry {index} is in the log", f"第 {index} 条记录在日志中"):
            entry = check_entry(box, index, checkpoint, note)
            with otherwise("it has no time", "没有时间"):
                times[index] = datetime.fromtimestamp(int(entry["time"]) / 1000, UTC)
            kind, status = plain(entry["metadata"].get("event_code")), plain(entry.get("status_code"))
            said = f"{times[index]:%Y-%m-%d %H:%M:%S} UTC, {kind}, {status}"
            verdict.add(PROVED, f"entry {index} says: {said}", f"第 {index} 条记录内容：{said}")
            if index in openings:
                with verdict.check(f"the opened personal part of entry {index}", f"第 {index} 条记录所公开的个人信息"):
                    for fact in sorted(check_opening(loads(box.read(f"openings/{index}.json")), index, entry).items()):
                        said = " = ".join(map(plain, fact))
                        verdict.add(PROVED, f"entry {index}: {said}", f"第 {index} 条记录：{said}")
    return times


def _time(  # noqa: PLR0917
    box: Container, checkpoint: Checkpoint, keys: Sequence[Key], roots: Sequence[x509.Certificate], verdict: Verdict,
    times: dict[int, datetime],
) -> None:  # fmt: skip
    stamped = Checkpoint(box.text("time/checkpoint"))
    stamped.of_log(keys)
    old, new = sorted((checkpoint, stamped), key=lambda each: each.size)
    check_consistency(old, new, [unbase64(line) for line in box.text("time/consistency").split("\n") if line])
    with otherwise("the token is malformed or not signed", "令牌格式有误或签名无效"):
        at, signer = check_token(box.read("time/token.tst"), stamped.text, roots)
    late = [index for index, said in times.items() if index >= stamped.size or said > at + SKEW]
    if late:
        raise Wrong(f"it does not cover entry {late[0]}", f"未覆盖第 {late[0]} 条记录")
    who, said = plain(signer.subject.rfc4514_string()), f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if roots:
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
        texts = [Path(text).read_text("utf-8") if Path(text).is_file() else text for text in given.log_key]
        keys = [line for text in texts for line in text.split("\n") if line.strip()]
        policy = given.policy.read_text("utf-8") if given.policy else ""
        roots = x509.load_pem_x509_certificates(given.tsa_roots.read_bytes()) if given.tsa_roots else []
        verdict = verify(given.file, Anchors(keys, policy, roots))
    except (OSError, ValueError) as error:
        parser.exit(2, f"could not be checked / 无法核实: {plain(error)}\n")
    show(verdict, given.lang)
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())
