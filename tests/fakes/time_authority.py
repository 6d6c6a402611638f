# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority on loopback: certificates made here, answers by Debian's `openssl ts -reply`."""

import hashlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

POLICY = "1.2.3.4.1"
_CONFIGURATION = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = {policy}
other_policies = 1.2.3.4.5
digests = sha256, sha512
accuracy = secs:1
clock_precision_digits = 0
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


class Certified:
    """A key and its certificate."""

    def __init__(self, key: CertificateIssuerPrivateKeyTypes, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def certify(
    name: str,
    issuer: Certified | None = None,
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    authority: bool = False,
    usages: Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    starts: timedelta = timedelta(days=-30),
    ends: timedelta = timedelta(days=365),
) -> Certified:
    """One certificate; ``issuer`` None makes a root."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not authority and usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    signing = issuer.key if issuer else own
    return Certified(own, builder.sign(signing, hashes.SHA256()))


class TimeAuthority:
    """Answers until closed; ``mangle`` may change an answer before it is sent, ``ask`` answers without the network."""

    def __init__(
        self, folder: Path, *, ess: str = "sha256", signer: Certified | None = None, rsa_key: bool = False
    ) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.root = certify("Root of time", authority=True)
        self.middle = certify("Issuer of time", self.root, authority=True)
        key = rsa.generate_private_key(65537, 2048) if rsa_key else None
        self.signer = signer or certify("Clock of the city", self.middle, key=key)
        self.mangle: Callable[[bytes], bytes] = lambda answer: answer
        self.delay: Callable[[], None] = lambda: None
        self.kind = "application/timestamp-reply"
        self.questions: list[bytes] = []
        self._ess = ess
        (folder / "serial").write_text("01\n")
        self.use(self.signer)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/tsa"

    def use(self, signer: Certified) -> None:
        """Sign with another certificate from now on."""
        self.signer = signer
        (self.folder / "tsa.cnf").write_text(
            _CONFIGURATION.format(folder=self.folder, policy=POLICY, ess=self._ess), "utf-8"
        )
        (self.folder / "signer.pem").write_bytes(signer.pem)
        (self.folder / "signer.key").write_bytes(signer.key_pem)
        (self.folder / "chain.pem").write_bytes(self.middle.pem)
        (self.folder / "root.pem").write_bytes(self.root.pem)

    def ask(self, question: bytes) -> bytes:
        """The answer of `openssl ts`."""
        self.questions.append(question)
        (self.folder / "question.tsq").write_bytes(question)
        command = [
            "openssl",
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "question.tsq",
            "-signer",
            "signer.pem",
        ]
        command += ["-inkey", "signer.key", "-chain", "chain.pem", "-out", "answer.tsr"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "answer.tsr").read_bytes()

    def forge(self, question: bytes, **wrong: Any) -> bytes:
        """An answer made here, with whatever is ``wrong`` about it; what is not named is right."""
        asked = tsp.TimeStampReq.load(question)
        imprint, nonce = asked["message_imprint"]["hashed_message"].native, asked["nonce"].native
        signer: Certified = wrong.get("signer", self.signer)
        digest = {"algorithm": "sha256"}
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": wrong.get("policy", POLICY),
                "message_imprint": {
                    "hash_algorithm": {"algorithm": wrong.get("hash", "sha256")},
                    "hashed_message": wrong.get("imprint", imprint),
                },
                "serial_number": 7,
                "gen_time": wrong.get("at", datetime.now(UTC).replace(microsecond=0)),
                "accuracy": {"seconds": wrong.get("accuracy", 1)},
            }
            | ({"nonce": wrong.get("nonce", nonce)} if wrong.get("nonce", nonce) is not None else {})
        ).dump()
        named = wrong.get("named", signer).certificate.public_bytes(serialization.Encoding.DER)
        own = asn1_x509.Certificate.load(signer.certificate.public_bytes(serialization.Encoding.DER))
        attributes = [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [wrong.get("digest", hashlib.sha256(info).digest())]},
        ]
        if named:
            certs = [{"hash_algorithm": digest, "cert_hash": hashlib.sha256(named).digest()}]
            attributes.append({"type": "signing_certificate_v2", "values": [{"certs": certs}]})
        signed = cms.CMSAttributes(attributes)
        key = signer.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(signed.dump(), ec.ECDSA(hashes.SHA256()))
        certificates = [
            own,
            asn1_x509.Certificate.load(self.middle.certificate.public_bytes(serialization.Encoding.DER)),
        ]
        token = cms.ContentInfo(
            {
                "content_type": "signed_data",
                "content": {
                    "version": "v3",
                    "digest_algorithms": [digest],
                    "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
                    "certificates": certificates,
                    "signer_infos": [
                        {
                            "version": "v1",
                            "sid": {
                                "issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}
                            },
                            "digest_algorithm": digest,
                            "signed_attrs": signed,
                            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                            "signature": wrong.get("signature", signature),
                        }
                    ],
                },
            }
        )
        answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        return answer

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/timestamp-query"
                answer = authority.mangle(authority.ask(question))
                authority.delay()
                self.send_response(200)
                self.send_header("Content-Type", authority.kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler
