# SPDX-License-Identifier: Apache-2.0
"""The door of the way out: CONNECT over TLS (RFC 9110 section 9.3.6), and nothing else.

nginx cannot do this, so the door has a port and a certificate of its own. Whoever comes shows a certificate in TLS or a
bound token in ``Proxy-Authorization``. The decision is recorded before anything leaves; the tunnel then hangs on what
allowed it, like a WebSocket, and its end is recorded with the bytes that went each way.
"""

import asyncio
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from core.errors import TallygateError
from core.jose import ALGORITHMS
from core.log import logger

from ..errors import Reason, Refused
from ..request import NoHello, proxy_credentials, server_name
from ..service.attempts import counted_as
from ..service.egress import Asked, Way, WaysOut
from ..service.sockets import Held, Sockets
from .streams import LONGEST_HEAD, PATIENCE, Carried, Head, NotOne, pump, read_head, say
from .words import WORDS

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\Z|\[[0-9a-f:.]{2,45}\]\Z")
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
_LAST_PORT = 65_535
_DECIDING = 16
"""Decisions under way at once; each may wait for the record and for a name."""
_SAID_BY_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-original-uri", "via")
_UNAUTHORIZED, _PROXY_UNAUTHORIZED = 401, 407
_log = logger(__name__)


def door_context(*, certificate: Path, key: Path, authorities: Iterable[bytes]) -> ssl.SSLContext:
    """TLS of the door: a certificate may come, and one of ``authorities`` (PEM) must then have issued it.

    Raises:
        OSError, ssl.SSLError: certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    # Chain, purpose, policy and status are checked by the gateway as for every certificate; TLS checks that it is ours.
    for each in authorities:
        context.load_verify_locations(cadata=each.decode("ascii"))
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Door:
    """Serves one TCP port until its process ends."""

    def __init__(self, ways: WaysOut, sockets: Sockets, *, context: ssl.SSLContext, connections: int) -> None:
        """``connections`` are those that one address may have at once."""
        self._ways = ways
        self._sockets = sockets
        self._context = context
        self._connections = connections
        self._open: Counter[str] = Counter()

    def start(self, address: str, port: int) -> threading.Thread:
        """In a thread of its own; ends with the process, or with the port, which it logs."""
        ready = threading.Event()

        def run() -> None:
            try:
                asyncio.run(self.serve(address, port, ready.set))
            except OSError as error:
                _log.error("egress_not_served", cause=type(error).__name__)
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="gateway-egress", daemon=True)
        thread.start()
        ready.wait(PATIENCE)
        return thread

    async def serve(self, address: str, port: int, ready: Callable[[], None] = lambda: None) -> None:
        """Listen."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_DECIDING, "gateway-egress"))
        server = await asyncio.start_server(
            self._asked,
            address,
            port,
            ssl=self._context,
            ssl_handshake_timeout=PATIENCE,
            ssl_shutdown_timeout=1.0,
            limit=LONGEST_HEAD,
            reuse_address=True,
        )
        ready()
        async with server:
            await server.serve_forever()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        counted = counted_as(address)
        self._open[counted] += 1
        try:
            if self._open[counted] > self._connections:
                await say(writer, "429 Too Many Requests")
                return
            await self._answered(reader, writer, address)
        except TallygateError as error:
            _log.info("tunnel_not_opened", code=error.code)
            await say(writer, "503 Service Unavailable")
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            # Nothing that could be read was asked for, or whoever asked is gone.
            pass
        finally:
            self._open[counted] -= 1
            if not self._open[counted]:
                del self._open[counted]
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        try:
            head: Head | None = await read_head(reader)
        except NotOne:
            head = None
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        asked = _read(head, address, ssl.DER_cert_to_PEM_cert(shown).encode() if shown else b"")
        way = await asyncio.to_thread(self._ways.decide, asked)
        if way.reason is not None or way.ties is None:
            await _refuse(writer, way.reason or Reason.UNAVAILABLE, way.decision, method=_method(head))
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end(_reason: str) -> None:
            with suppress(RuntimeError):  # the loop ended with the process
                loop.call_soon_threadsafe(ended.set)

        try:
            held = await asyncio.to_thread(self._sockets.open, way.ties, end=end, way_out=True)
        except Refused as refused:
            await _refuse(writer, refused.reason, way.decision)
            return
        carried = Carried(client=(reader, writer), ended=ended, passing=self._sockets.passing)
        reason = "unreachable"
        try:
            reason = await self._tunnel(way, asked, carried)
        finally:
            await asyncio.shield(asyncio.to_thread(self._close, held, reason, carried))

    def _close(self, held: Held, reason: str, carried: Carried) -> None:
        self._sockets.close(held, reason, sent=carried.sent, received=carried.received)

    async def _tunnel(self, way: Way, asked: Asked, carried: Carried) -> str:
        """Carry bytes until it is over; why it is."""
        reader, writer = carried.client
        line = await _connected(way.addresses, asked.port)
        if line is None:
            await say(writer, "502 Bad Gateway", f"Tallygate-Decision: {way.decision}")
            return "unreachable"
        above, below = line
        try:
            writer.write(
                f"HTTP/1.1 200 Connection Established\r\nTallygate-Decision: {way.decision}\r\n\r\n".encode("ascii")
            )
            await writer.drain()
            if way.tls:
                first = await _hello(reader, asked.host, carried)
                if not first:
                    writer.transport.abort()
                    return "ended" if carried.ended.is_set() else "protocol"
                below.write(first)
            return await self._carry((above, below), carried)
        finally:
            below.transport.abort()

    async def _carry(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], carried: Carried) -> str:
        (reader, writer), (above, below) = carried.client, line
        idle, loop = self._ways.idle.total_seconds(), asyncio.get_running_loop()
        tasks = {
            asyncio.create_task(pump(reader, below, carried.count_received, passing=carried.passing)): "client",
            asyncio.create_task(pump(above, writer, carried.count_sent, passing=carried.passing)): "host",
            asyncio.create_task(carried.ended.wait()): "ended",
        }
        reason = ""
        while not reason:
            quiet = loop.time() - carried.touched
            done, _ = await asyncio.wait(tasks, timeout=max(idle - quiet, 0.0), return_when=asyncio.FIRST_COMPLETED)
            if done:
                reason = "ended" if carried.ended.is_set() else tasks[done.pop()]
            elif loop.time() - carried.touched >= idle:
                reason = "idle"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if reason not in ("client", "host"):
            # What was taken away is taken away now, whatever still waits to be sent.
            writer.transport.abort()
        return reason


def _read(head: Head | None, address: str, certificate: bytes) -> Asked:
    """What was asked for, or why it is nothing that can be."""
    host, port, malformed = "", 0, Reason.AMBIGUOUS_PATH
    given = proxy_credentials(authorization="", proof="", certificate=b"")
    if head is not None:
        try:
            host, port = _place(head)
            given = proxy_credentials(
                authorization=head.one("proxy-authorization"), proof=head.one("dpop"), certificate=certificate
            )
            return Asked(host=host, port=port, address=address, credentials=given)
        except NotOne:
            pass
        except Refused as refused:
            malformed = refused.reason
    return Asked(host=host, port=port, address=address, credentials=given, malformed=malformed)


def _place(head: Head) -> tuple[str, int]:
    """Where to; there is one reading of it.

    Raises:
        NotOne: it can be read in two ways, or in none.
        Refused: it is no CONNECT, or says what only a proxy may say.
    """
    parts = head.first.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":  # noqa: PLR2004 - method, target, version
        raise NotOne
    if parts[0] != "CONNECT" or head.one("transfer-encoding") or head.one("content-length") not in ("", "0"):
        raise Refused(Reason.UNACCEPTED)
    if any(name in _SAID_BY_PROXIES for name, _ in head.headers):
        raise Refused(Reason.FORWARDED)
    host, _, port = parts[1].lower().rpartition(":")
    if not _HOST.match(host) or not _PORT.match(port) or int(port) > _LAST_PORT:
        raise NotOne
    # One place, however often it is said (RFC 9112 section 3.2).
    if head.one("host").lower() not in (host, f"{host}:{port}"):
        raise NotOne
    return host, int(port)


def _method(head: Head | None) -> str:
    return head.first.partition(" ")[0] if head else "CONNECT"


async def _connected(addresses: Iterable[str], port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """The first address where somebody listens, of those that were judged."""
    for address in addresses:
        with suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE)
    return None


async def _hello(reader: asyncio.StreamReader, host: str, carried: Carried) -> bytes:
    """The beginning of TLS for this very name; empty if something else comes, or nothing in time."""
    content = b""
    waiting = asyncio.create_task(carried.ended.wait())
    try:
        while True:
            reading = asyncio.create_task(reader.read(LONGEST_HEAD))
            await asyncio.wait((reading, waiting), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() or not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                return b""
            part = reading.result()
            carried.count_received(len(part))
            content += part
            name = server_name(content) if part else ""
            if name is not None:
                return content if name == host else b""
    except (NoHello, OSError):
        return b""
    finally:
        waiting.cancel()


async def _refuse(writer: asyncio.StreamWriter, reason: Reason, decision: str, *, method: str = "CONNECT") -> None:
    words = WORDS[reason]
    status = _PROXY_UNAUTHORIZED if words.status == _UNAUTHORIZED else words.status
    headers = [
        f"Tallygate-Decision: {decision}",
        f"Tallygate-Reason: {reason}",
        "Content-Type: application/problem+json",
    ]
    if status == _PROXY_UNAUTHORIZED:
        headers += [
            'Proxy-Authenticate: Bearer realm="tallygate"',
            f'Proxy-Authenticate: DPoP realm="tallygate", algs="{" ".join(ALGORITHMS)}"',
        ]
    if method != "CONNECT":
        status = int(HTTPStatus.METHOD_NOT_ALLOWED)
        headers.append("Allow: CONNECT")
    body = {
        "type": f"urn:tallygate:error:{reason}",
        "title": words.title,
        "status": status,
        "detail": f"{words.why} {words.advice}",
        "code": str(reason),
        "instance": f"urn:tallygate:decision:{decision}",
    }
    await say(writer, f"{status} {HTTPStatus(status).phrase}", *headers, body=json.dumps(body).encode())
