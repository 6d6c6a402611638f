# SPDX-License-Identifier: Apache-2.0
"""What callers of the role ``signatures`` do: the acts that ``benchmarks.signatures`` repeats."""

import io
import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from reportlab.pdfgen.canvas import Canvas

from core.clock import SystemClock
from signatures import SealOrder
from signatures.client import SignatureClient
from tests.signatures import made
from tests.signatures.pki import Leaf

from . import processes
from .measure import sampled
from .place import Place
from .sso_acts import Load, Start
from .wire import Wire

AGENCY = "document-office"
_MARK = b"Notice 0000000000"
_FORM = "multipart/form-data; boundary=tallygate"


@dataclass(frozen=True)
class Job:
    """What a measuring process has to know."""

    place: Place
    actor: str
    document: bytes = b""


def measured(job: Job, kind: str, *, seconds: float, threads: int, supervisor: int, first: int) -> Load:
    """One process of callers, each of which waits for its answer before it asks again."""
    callers = iter_of(ACTS[kind](job, first), threads)
    sampled(callers, seconds=1.0, threads=threads)
    Start.wait()
    before, begun = processes.spent(supervisor), time.process_time()
    samples = sampled(callers, seconds=seconds, threads=threads)
    spent, after = time.process_time() - begun, processes.spent(supervisor)
    return Load(samples, spent, {role: after[role] - before.get(role, 0.0) for role in after})


def iter_of(make: Callable[[], Callable[[], None]], threads: int) -> Callable[[], None]:
    """One act that takes whichever of some callers is free: each has a connection of its own."""
    free = [make() for _ in range(threads)]

    def act() -> None:
        caller = free.pop()
        try:
            caller()
        finally:
            free.append(caller)

    return act


def small(actor: str, number: int, *, document: bytes = b"") -> SealOrder:
    """An order to seal one page, like no other."""
    return SealOrder(
        document=document or page().replace(_MARK, b"Notice %010d" % number),
        organisation=AGENCY,
        actor=actor,
        caller="app",
        assurance=2,
        zone="internal",
        session="",
    )


def sealed(place: Place, actor: str, document: bytes = b"") -> bytes:
    """One sealed document."""
    number = secrets.randbelow(10**9)
    return SignatureClient(place.context.peer("app", "signatures")).seal(small(actor, number, document=document))


def asked(place: Place, document: bytes) -> str:
    """The word of the verdict on one document."""
    host, port = place.context.site.host("verify"), place.ports["external"]
    wire = Wire(host=host, port=port, root=place.folder / "public" / "root.pem")
    answer = wire.send(_request(host, port, document, "application/pdf"))
    wire.close()
    said = json.loads(answer.body)
    return str(said.get("overall") or said.get("code"))


def _seals(job: Job, first: int) -> Callable[[], Callable[[], None]]:
    numbers: Iterator[int] = itertools.count(first * 10**8)

    def make() -> Callable[[], None]:
        client = SignatureClient(job.place.context.peer("app", "signatures"))
        return lambda: _pdf(client.seal(small(job.actor, next(numbers))))

    return make


def _verdicts(job: Job, _first: int) -> Callable[[], Callable[[], None]]:
    return _asking(job.place, job.document, "application/pdf")


def _detached(job: Job, _first: int) -> Callable[[], Callable[[], None]]:
    """A letter and its signature beside it, by a citizen's certificate of this city."""
    folder = job.place.folder / "demo"
    held = load_pkcs12(
        (folder / "chen.wei-signing.p12").read_bytes(), (folder / "chen.wei-signing.password").read_bytes().strip()
    )
    if held.cert is None or not isinstance(held.key, EllipticCurvePrivateKey):
        raise RuntimeError("the sample has no signing card")
    above = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in held.additional_certs)
    leaf = Leaf(certificate=held.cert.certificate, key=held.key, chain=above)
    signature = made.cades(made.LETTER, [leaf], at=SystemClock().now(), detached=True)
    parts = (("document", "letter.p7s", signature), ("content", "letter.txt", made.LETTER))
    body = b"".join(
        b'--tallygate\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (name.encode(), file.encode(), content)
        for name, file, content in parts
    )
    return _asking(job.place, body + b"--tallygate--\r\n", _FORM)


def _asking(place: Place, body: bytes, media: str) -> Callable[[], Callable[[], None]]:
    host, port = place.context.site.host("verify"), place.ports["external"]
    request = _request(host, port, body, media)

    def make() -> Callable[[], None]:
        wire = Wire(host=host, port=port, root=place.folder / "public" / "root.pem")

        def act() -> None:
            answer = wire.send(request)
            said = json.loads(answer.body)
            # A verdict that is no verdict, or another than it must be, is an error of the measurement.
            if said.get("overall") != "trusted":
                raise RuntimeError(f"{answer.status}: {answer.body[:300]}")

        return act

    return make


def _request(host: str, port: int, body: bytes, media: str) -> bytes:
    head = (
        f"POST /api/v1/verify HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {media}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _pdf(document: bytes) -> None:
    if not document.startswith(b"%PDF"):
        raise RuntimeError("no document")


def page() -> bytes:
    """One page of 1.5 kB that says which notice it is."""
    if not _KEPT:
        buffer = io.BytesIO()
        canvas = Canvas(buffer, pageCompression=0)
        canvas.drawString(72, 700, _MARK.decode())
        canvas.save()
        _KEPT.append(buffer.getvalue())
    return _KEPT[0]


_KEPT: list[bytes] = []
ACTS: Mapping[str, Callable[[Job, int], Callable[[], Callable[[], None]]]] = {
    "seal": _seals,
    "verify": _verdicts,
    "cades": _detached,
}
