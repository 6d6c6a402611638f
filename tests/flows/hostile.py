# SPDX-License-Identifier: Apache-2.0
"""What nobody should send, and a client that sends it: bytes on a socket, read back strictly.

`requests` repairs much of what is wrong before it leaves; this client repairs nothing. The corpus is a table: values
for a field, segments for a path, bodies for a parser, heads for a server.
"""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_from_bytes

Headers = Sequence[tuple[bytes, bytes]]
Connect = Callable[[], socket.socket]
T = TypeVar("T")
PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of one header."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str:
        """Its only value, or nothing."""
        return next(iter(self.all(name)), "")

    def text(self) -> str:
        """The body for reading."""
        return self.body.decode("utf-8", "replace")


class Wire:
    """One address, spoken to over one kept connection that is opened again whenever it was closed."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> Answer | None:
        """Send as it is; None if the other end closed without an answer."""
        for fresh in (self._socket is None, True):
            if self._socket is None:
                self._socket = self._connect()
            try:
                return self._exchange(self._socket, request)
            except (http.client.BadStatusLine, ConnectionError, ssl.SSLError):
                self.close()
                # A kept connection may have been closed meanwhile; a new one was closed because of the request.
                if fresh:
                    return None
        return None

    def _exchange(self, connection: socket.socket, request: bytes) -> Answer:
        # The answer may be there already: too large is said before everything was read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        response = http.client.HTTPResponse(connection, method="HEAD" if request.startswith(b"HEAD ") else "GET")
        with response:
            response.begin()
            headers = tuple((name.lower(), value) for name, value in response.getheaders())
            answer = Answer(response.status, headers, response.read())
            closing = response.will_close
        if closing:
            self.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def over_tls(host: str, port: int, root: Path, certificate: Path | None = None) -> Connect:
    """How to reach a listener under one name."""
    context = ssl.create_default_context(cafile=str(root))
    if certificate is not None:
        context.load_cert_chain(str(certificate))

    def connect() -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        return context.wrap_socket(plain, server_hostname=host)

    return connect


def over_tcp(port: int) -> Connect:
    """How to reach the plain listener."""
    return lambda: socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def over_unix(path: Path) -> Connect:
    """How to reach a role past nginx."""

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        return connection

    return connect


def request(method: bytes, target: bytes, host: str, headers: Headers = (), body: bytes | None = None) -> bytes:
    """One request, written down without looking at it."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: " + host.encode()]
    lines += [name + b": " + value for name, value in headers]
    if body is not None:
        lines.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join([*lines, b"", b""]) + (body or b"")


def escaped(value: bytes) -> bytes:
    """Percent-encoded for a query or a form."""
    return quote_from_bytes(value, safe="").encode()


def form(fields: Mapping[str, bytes]) -> bytes:
    """A form's body."""
    return b"&".join(escaped(name.encode()) + b"=" + escaped(value) for name, value in fields.items())


BOUNDARY = b"xXx"
MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY
URLENCODED = b"application/x-www-form-urlencoded"


def multipart(fields: Mapping[str, bytes], files: Sequence[tuple[bytes, bytes, bytes]] = ()) -> bytes:
    """A multipart body; each file is field name, file name, content."""
    parts = [
        b'Content-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value
        for name, value in fields.items()
    ]
    parts += [
        b'Content-Disposition: form-data; name="' + field + b'"; filename="' + name + b'"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + content
        for field, name, content in files
    ]
    return b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"


VALUES = (
    b"",
    b" ",
    b"a\0b",
    b"\x1b[2J\x07\x7f",
    b"x\r\nInjected: yes\r\n\r\n<p>",
    b"\xe9t\xe9",
    b"\xed\xa0\x80",
    b"\xc0\xaf\xe0\x80\xaf",
    b"\xe4\xbd",
    b"\xff\xfe\x00\x00",
    b"\xef\xbb\xbfa",
    b"\xef\xbf\xbf\xf4\x8f\xbf\xbf",
    b"\xe2\x80\xaeevil",
    b"A" * 5000,
    b"-1",
    b"9" * 60,
    b"1e309",
    b"NaN",
    b"\xd9\xa3\xc2\xb2",
    b"%s%n{0}{{7*7}}%(x)s${x}",
    b"*)(uid=*))(|(uid=*",
    b"' OR '1'='1' --",
    b"../../../etc/passwd",
    b"<script>alert(1)</script>",
    b'{"a":[1]}',
    b"%2561%00",
    b"urn:uuid:00000000-0000-0000-0000-000000000000",
)
"""For one field, before it is percent-encoded."""

QUERIES = (
    b"%",
    b"%zz=%u0041",
    b"%2561=%2562",
    b"=&=&&&",
    b"a[]=1&a[x]=2&a.b=3",
    b"a=1&a=2",
    b"%C0%AF=%ED%A0%80",
    b"lang=xx&lang=zh",
    b"lang=%00",
    b"?/?:@",
    b"&".join(b"p%d=1" % number for number in range(600)),
    b"a=" + b"B" * 3500,
)
"""Whole queries, in ASCII as a server may be sent them."""

SEGMENTS = (
    b"%00",
    b"%2f",
    b"%252f",
    b"..%2f..",
    b"..",
    b"%c0%af",
    b"%ed%a0%80",
    b"%e9",
    b"%0d%0aInjected:%20yes",
    b"%",
    b"%zz",
    b"*",
    b"a;b=c",
    b"'%22%3Cscript%3E",
    b"-1",
    b"00",
    b"9" * 40,
    b"A" * 300,
    b"%F0%9F%92%A9",
    b"%D9%A3",
    b"x%20y",
    b"\xc3\xa9",
    b"..\\..",
)
"""For one place in a path, as they are sent."""

METHODS = (b"HEAD", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"get", b"X" * 300)

HEADERS: tuple[Headers, ...] = (
    ((b"Accept", b"\xff/\xfe;q=nan, */*;q=-1"), (b"Accept-Language", b"zh;q=9e99,,;;=, \xe9, " + b"en-" * 200)),
    ((b"Accept", b"application/json"), (b"Accept", b"text/html")),
    ((b"Accept-Language", b"zz-ZZ-x-" + b"a" * 2000), (b"User-Agent", b"\x80\xff" * 50)),
    ((b"Range", b"bytes=9-1,-,0-,x"), (b"If-Range", b'"'), (b"If-None-Match", b'W/"\xff", *, "')),
    ((b"If-Modified-Since", b"Thu, 99 Foo 99999 99:99:99 GMT"), (b"If-Unmodified-Since", b"-1")),
    ((b"Cookie", b"__Host-tallygate=" + b"A" * 43), (b"Cookie", b"__host-tallygate=" + b"B" * 43)),
    ((b"Cookie", b"__Host-sso-session=\xff; __Host-sso-browser=" + b"x" * 3000 + b"; __Host-sso=e30.x.y; ;;=;=x"),),
    ((b"Cookie", b'__Host-gateway=.eJw.aaaa.bbbb; __Host-portal-tax="unterminated; locale=../../zh; lang=%00'),),
    ((b"Origin", b"null"), (b"Referer", b"http://[::1"), (b"Sec-Fetch-Mode", b"navigate, cors")),
    ((b"Content-Type", b"\xff"), (b"Content-Type", b"text/html; charset=utf-7")),
    ((b"Content-Type", b"multipart/form-data; boundary=" + b"b" * 3000),),
    ((b"X-Forwarded-For", b"1.2.3.4, \xff"), (b"X-Forwarded-Proto", b"gopher"), (b"X-Forwarded-Host", b"evil.example")),
    (
        (b"Tallygate-Caller", b"nginx"),
        (b"Tallygate-Secret", b"AAAA"),
        (b"Tallygate-Identity", b"eyJhbGciOiJub25lIn0.e30."),
        (b"Tallygate_Identity", b"eyJhbGciOiJub25lIn0.e30."),
    ),
    ((b"X-Original-URI", b"/"), (b"X-Original-Host", b"audit.city.localhost"), (b"Tallygate-Reason", b"\xff")),
    ((b"X-Accel-Redirect", b"/.tallygate/pages/400.html"), (b"X-HTTP-Method-Override", b"DELETE")),
    ((b"Content-Encoding", b"gzip"), (b"Expect", b"200-maybe"), (b"Upgrade", b"h2c"), (b"TE", b"trailers")),
    ((b"Proxy", b"http://evil.example"), (b"Connection", b"keep-alive, Cookie, Tallygate-Identity")),
)
"""Groups of headers that no browser would send like this."""

CREDENTIALS = (
    b"Bearer",
    b"Bearer \xff\xfe",
    b"Bearer a.b.c",
    b"Bearer eyJhbGciOiJub25lIn0.e30.",
    b"Bearer " + b"a" * 7000,
    b"Bearer x, Bearer y",
    b"Basic",
    b"Basic !!!!",
    b"Basic Og==",
    b"Basic dGF4Ov8=",
    b"Negotiate YII=",
)
"""Values for Authorization; few, since guessing is limited."""


JSON_VALUES: tuple[object, ...] = (
    None,
    True,
    1,
    -1,
    1.5,
    [],
    {},
    "",
    " ",
    "a\0b",
    "\u202e",
    "A" * 5000,
    ["x"] * 200,
    "=",
    "é",
)
JSON_RAW = (b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b'"\xff"', b"9" * 5000, b"'", b"01", b'"a\nb"')
"""For one value in JSON, the second as it is written."""


_MOST_PARTS = 6
TURNS = 3
"""Bodies that are refused before any field is read go round among this many doors."""


def part(whole: Sequence[T], number: int, parts: int) -> Sequence[T]:
    """The ``number``-th of so many parts, counted round."""
    return whole[number % parts :: parts]


def share(whole: Sequence[T], number: int, count: int) -> Sequence[T]:
    """Where many are asked, each gets a part, and together they get all: that of the ``number``-th of ``count``."""
    return part(whole, number, min(count, _MOST_PARTS))


def form_bodies(fields: Mapping[str, str], turn: int) -> Iterator[tuple[bytes, bytes]]:
    """Content type and body: fields spoilt one by one, together in every way, then a third of the whole bodies."""
    good = {name: value.encode() for name, value in fields.items()}
    spoilt = [name for name in fields if name != "csrf_token"]
    for number, name in enumerate(spoilt):
        for value in share(VALUES, number, len(spoilt)):
            yield URLENCODED, form({**good, name: value})
        yield URLENCODED, form({key: value for key, value in good.items() if key != name})
        yield URLENCODED, form(good) + b"&" + form({name: good[name]})
        yield URLENCODED, form({key: value for key, value in good.items() if key != name}) + b"&" + name.encode()
    yield from part(_whole_forms(fields, good), turn, TURNS)


def _whole_forms(fields: Mapping[str, str], good: Mapping[str, bytes]) -> Sequence[tuple[bytes, bytes]]:
    right = form(good)
    odd_kinds = (
        b"text/plain",
        b"application/json",
        b"",
        b"application/x-www-form-urlencoded; charset=utf-16",
        MULTIPART,
    )
    return (
        *((kind, right) for kind in odd_kinds),
        (URLENCODED, b""),
        (URLENCODED, right.replace(b"csrf_token", b"csrf%5ftoken%00")),
        (URLENCODED, b"&".join(QUERIES)),
        (URLENCODED, b"csrf_token=" + b"A" * 100_000),
        (b"application/json", json.dumps(dict(fields)).encode()),
        (MULTIPART, multipart(good)[:-20]),
        (MULTIPART, multipart(good).replace(b"\r\n\r\n", b"\r\n", 1)),
        (MULTIPART, multipart(good, [(b"csrf_token", b"x", b"y"), (b"\xff", b"../\0", b"")])),
        (MULTIPART, multipart({f"p{number}": b"" for number in range(150)})),
        (b"multipart/form-data", multipart(good)),
        (b"multipart/form-data; boundary=", b"--\r\n\r\n--"),
        (b"multipart/form-data; boundary=\xff\x00", b"--\xff\x00--"),
    )


def json_bodies(fields: Mapping[str, object], turn: int) -> Iterator[tuple[bytes, bytes]]:
    """Content type and body for an endpoint that takes one JSON object; of whole bodies a third."""
    for number, name in enumerate(fields):
        for value in share(JSON_VALUES, number, len(fields)):
            yield b"application/json", json.dumps({**fields, name: value}).encode()
        for raw in share(JSON_RAW, number, len(fields)):
            right = json.dumps({key: value for key, value in fields.items() if key != name}).encode()
            body = b'{"' + name.encode() + b'":' + raw + (b"," if right != b"{}" else b"") + right[1:]
            yield b"application/json", body
        yield b"application/json", json.dumps({key: value for key, value in fields.items() if key != name}).encode()
    yield from part(_whole_json(json.dumps(dict(fields)).encode()), turn, TURNS)


def _whole_json(right: bytes) -> Sequence[tuple[bytes, bytes]]:
    twice = right[:-1] + (b"," if right != b"{}" else b"") + right[1:]
    whole = (
        b"",
        b"null",
        b"[]",
        b'"',
        b"{",
        right + right,
        b"\xef\xbb\xbf" + right,
        twice,
        right.decode().encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    )
    odd_kinds = (b"text/plain", b"application/json; charset=latin-1", URLENCODED, b"")
    return (*((b"application/json", body) for body in whole), *((kind, right) for kind in odd_kinds))


NOTES = (
    b"",
    b"old",
    b"old 0\n\n",
    b"old 0\n\nlog\n0\n" + b"A" * 43 + b"=\n\n",
    b"old 0\n\nlog\n0\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 log AAAAAAA=\n",
    b"old 9223372036854775808\n\nlog\n9999999999999999999\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 log AAAAAAA=\n",
    b"old 1\n" + (b"A" * 43 + b"=\n") * 100 + b"\nlog\n0\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 log AAAAAAA=\n",
    b"old 0\r\n\r\nlog\r\n",
    b"\xff\xfe\n\n\xff",
    b"\n" * 100_000,
    b"old 0\n\n" + b"\n\n" * 50_000,
    b"\0" * 1000,
)
"""Submissions to a witness."""
LINES = (
    b"",
    b"\n",
    b"\n" * 3000,
    b"{}\n" * 3000,
    b"{}\n\n{}",
    b'null\n[]\n1\n""\n',
    b"{\n",
    b"\xff\xfe\n",
    b"\0",
    b'{"type":"no.such"}\n{"type":1}\n{"type":"sso.login"}',
    b'{"type":"\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 20_000 + b"\n{}",
    b"x" * 100_000,
    b"{}\r\n{}\r\n",
)
"""Events by HTTP, of which none is one."""
DER = (
    b"",
    b"0",
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x30\x82\x10\x00" + b"\0" * 20,
    b"\x30\x03\x02\x01\x00",
    b"\xa0\x02" * 5000,
    b"\x30\x82" * 8000,
    bytes(range(256)) * 16,
    b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    b"\x30\x42\x30\x40\x30\x3e\x30\x3c\x30\x3a\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
)
"""For a parser of ASN.1."""

PDF = (
    b"",
    b"%PDF",
    b"%PDF-1.7\n%%EOF",
    b"%PDF-1.7\nxref\n0 999999999\ntrailer<</Root 1 0 R/Size 99999999999999999999>>\nstartxref\n9\n%%EOF",
    b"%PDF-1.7\n1 0 obj<</Pages 1 0 R/AcroForm 1 0 R>>endobj\ntrailer<</Root 1 0 R/Prev 0>>\nstartxref\n0\n%%EOF",
    b"%PDF-1.7\n" + b"[" * 50_000,
    b"%PDF-1.7\n" + b"<<" * 20_000 + b"\nstartxref\n-5\n%%EOF",
    b"PK\x03\x04" + b"\0" * 100,
    b"<html>",
    b"\0" * 4096,
)
"""For a parser of PDF."""

TABLES = (
    (b"people.csv", b""),
    (b"people.csv", b"\xff\xfe\x00"),
    (b"people.csv", b"kind,username\ncitizen,\xe9"),
    (b"people.csv", b'kind,username\ncitizen,"unterminated'),
    (b"people.csv", b"kind,kind\n"),
    (b"people.csv", b"kind,username,name\ncitizen,bad name\0,x\n"),
    (b"people.csv", b"kind,username\n" + b"citizen,*)(uid=*\n" * 50),
    (b"people.csv", b"kind,username\ncitizen," + b"a" * 200_000 + b"\n"),
    (b"people.csv", b"\n".join([b"kind,username", *(b"citizen" for _ in range(6000))])),
    (b"people.ldif", b"dn: x\nchangetype: delete\n"),
    (b"people.ldif", b"dn: x\nuserPassword:< file:///etc/passwd\n"),
    (b"people.ldif", b"dn:: !!!!\nobjectClass: tallyCitizen\n"),
    (b"people.ldif", b"dn: uid=a,dc=b\nobjectClass: tallyCitizen\nuid: \xed\xa0\x80\n"),
    (b"people.ldif", b"version: 1\n version: 2\n" * 100),
    (b"people.exe", b"MZ"),
    (b"..\\..\\people.csv\0", b"kind\n"),
    (b"", b"kind\ncitizen"),
)
"""File name and content for an import."""


def odd_bodies(host: str, path: bytes = b"/") -> Iterator[bytes]:
    """Bodies whose end is unclear; some are two requests to a careless reader."""
    named = b"Host: " + host.encode() + b"\r\n"
    get = b"GET " + path + b" HTTP/1.1\r\n"
    post = b"POST " + path + b" HTTP/1.1\r\n" + named
    smuggled = b"GET /.tallygate/decide HTTP/1.1\r\n" + named + b"\r\n"
    yield get + named + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    yield post + b"Content-Length: -1\r\n\r\n"
    yield post + b"Content-Length: 0x10\r\n\r\n" + b"a" * 16
    yield post + b"Content-Length: 99999999999999999999999\r\n\r\n"
    yield post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
    yield post + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"


def odd_lines(host: str, path: bytes = b"/") -> Iterator[bytes]:
    """Request lines that break HTTP/1.1."""
    named = b"Host: " + host.encode() + b"\r\n"
    yield b"GET https://" + host.encode() + path + b" HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET http://evil.example/ HTTP/1.1\r\n" + named + b"\r\n"
    yield b"OPTIONS * HTTP/1.1\r\n" + named + b"\r\n"
    yield b"CONNECT " + host.encode() + b" HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET // HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET /..;/../.tallygate/decide HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET /%2e%2e/.tallygate/pages/503.html HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET " + path + b"#x HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET " + path + b"\x00 HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET " + path + b"a b HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET " + path + b"?" + b"\xff\xfe HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\n" + named + b"\r\n"
    yield b"GET " + path + b"\r\n"
    yield b"GET " + path + b" HTTP/9.9\r\n" + named + b"\r\n"
    yield b"GET " + path + b" HTTP/1.0\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n"


def odd_heads(host: str, path: bytes = b"/") -> Iterator[bytes]:
    """Header sections that break HTTP/1.1."""
    named = b"Host: " + host.encode() + b"\r\n"
    get = b"GET " + path + b" HTTP/1.1\r\n"
    yield get + b"\r\n"
    yield get + named + named + b"\r\n"
    yield get + named + b"Host: evil.example\r\n\r\n"
    yield get + b"Host: evil.example\r\n\r\n"
    yield get + b"Host: " + host.encode() + b"@evil.example\r\n\r\n"
    yield get + b"Host: ../" + host.encode() + b"\r\n\r\n"
    yield get + named + b"Cookie: " + b"a" * 40_000 + b"\r\n\r\n"
    yield get + named + b"X-Long: " + b"a" * 9_000 + b"\r\n\r\n"
    yield get + named + b"".join(b"X-%d: y\r\n" % number for number in range(900)) + b"\r\n"
    yield get + named + b" folded: yes\r\n\r\n"
    yield get + named + b"No colon here\r\n\r\n"
    yield get + named + b": nameless\r\n\r\n"
    yield get + named + b"Bad\x00Name: x\r\n\r\n"
    yield get + named + b"X: a\x00b\r\n\r\n"
    yield get + named + b"X: a\rInjected: yes\r\n\r\n"
    yield get + named + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"
    yield b"\r\n\r\n\r\n" + get + named + b"\r\n"
