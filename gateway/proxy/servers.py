# SPDX-License-Identifier: Apache-2.0
"""One server block per host and listener.

A guarded host asks the decision first and forwards only with the identity that came back. An open host is forwarded as
it is. Header lists are complete: what a client may send on is named in the settings, and everything else of the
client's ends here, whatever its spelling; so no list of forbidden names can be incomplete.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from core.identity import HEADER

from ..config import WELL_KNOWN, OpenHost, Route
from ..models import TIES
from . import cookies
from .blocks import block, pattern_location, quoted
from .pages import STATUSES

DECIDE = "/.tallygate/decide"
_PAGES = "/.tallygate/pages"
_MISDIRECTED = 421
KEEPER = "gateway_live"
"""The upstream that keeps WebSockets."""
DECIDERS = "gateway_ask"
"""The upstream that decides."""
_SOCKET_HEADERS = ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol")
_SILENCE = "1h"
_OWN = ("login", "callback", "logout", "keys")
# Whoever decides records before it answers. A visitor who hung up meanwhile must not make nginx forget to ask for the
# answer: its log would then not know the number of a decision that stands in the record.
_HEARD_OUT = "proxy_ignore_client_abort on;"
# Answers of nginx itself; those of a role carry their own.
SECURITY_HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


def guarded_host(
    host: str, port: int, listener: str, route: Route, headers: Sequence[str], *, address: str
) -> list[str]:
    """A host behind the decision."""
    asks = route.asks_certificate
    decided = [
        f"auth_request {DECIDE};",
        f"auth_request_set $tallygate_identity $upstream_http_{_variable(HEADER)};",
        "auth_request_set $tallygate_decision $upstream_http_tallygate_decision;",
        "auth_request_set $tallygate_reason $upstream_http_tallygate_reason;",
        "auth_request_set $tallygate_step_up $upstream_http_tallygate_step_up;",
        "auth_request_set $tallygate_could $upstream_http_tallygate_could;",
        "error_page 401 403 = @refused;",
        *_error_pages(),
        *_headers(host, port, headers, cookie=cookies.FORWARDED, token=route.passes_token),
        *cookies.answers(host),
        f"proxy_set_header {HEADER} $tallygate_identity;",
        "proxy_set_header Tallygate-Decision $tallygate_decision;",
        *_forward(route.role),
    ]
    return _server(
        host,
        port,
        address=address,
        asks_certificate=asks,
        lines=[
            "access_log logs/decisions.log decisions buffer=32k flush=200ms;",
            *_static(),
            *block("location /", decided),
            *_sockets(route, headers, decided),
            *block(f"location = {DECIDE}", _asking(host, listener, certificate=asks)),
            *block("location @refused", _refusing(host, port, listener)),
            *(
                line
                for name in _OWN
                for line in block(
                    f"location = /.tallygate/{name}",
                    [
                        *_headers(host, port, headers),
                        *_original(host, listener),
                        *_forward("gateway"),
                    ],
                )
            ),
            *block("location ^~ /.tallygate/", ["return 404;"]),
            # Public facts of hosts that take tokens, which nobody can ask about with one.
            *(
                line
                for path in sorted(route.resources)
                for line in block(
                    f"location = {WELL_KNOWN}{path}",
                    [*_headers(host, port, ("Accept",), cookie='""'), *_original(host, listener), *_forward("gateway")],
                )
            ),
        ],
    )


def _sockets(route: Route, headers: Sequence[str], decided: Sequence[str]) -> list[str]:
    """Where WebSockets are opened: decided like everything else, then kept by the gateway, which can end them."""
    forwarded = [
        *(line for line in decided if not line.startswith(("proxy_pass ", 'proxy_set_header Connection "'))),
        f"auth_request_set $tallygate_ties $upstream_http_{_variable(TIES)};",
        f"proxy_set_header {TIES} $tallygate_ties;",
        "include secrets/gateway.conf;",
        # Whatever the client wrote: the keeper speaks of one kind of change, and of one version of it.
        "proxy_set_header Upgrade websocket;",
        "proxy_set_header Connection upgrade;",
        *(f"proxy_set_header {name} $http_{_variable(name)};" for name in _SOCKET_HEADERS),
        *([] if "Origin" in headers else ["proxy_set_header Origin $http_origin;"]),
        "proxy_request_buffering on;",
        "proxy_next_upstream off;",
        # Every answer but the change itself is the keeper's, and has a page of ours.
        "proxy_intercept_errors on;",
        # How long it may be silent; how long it may last is the keeper's business.
        f"proxy_read_timeout {_SILENCE};",
        f"proxy_send_timeout {_SILENCE};",
        f"proxy_pass http://{KEEPER};",
    ]
    return [line for pattern in route.sockets for line in block(pattern_location(pattern), forwarded)]


def open_host(
    host: str,
    port: int,
    listener: str,
    settings: OpenHost,
    headers: Sequence[str],
    *,
    include: str,
    address: str,
    limits: Sequence[str],
) -> list[str]:
    """A host that identifies its callers itself, or serves public facts; ``limits`` hold where it says so."""
    forwarded = [*_headers(host, port, headers), *_forward(settings.role)]
    if settings.client_certificate:
        forwarded += [
            f"include {include};",
            "proxy_set_header Tallygate-Client-Certificate $ssl_client_escaped_cert;",
        ]
    lines: list[str] = []
    if settings.asked:
        forwarded += [
            f"auth_request {DECIDE};",
            "auth_request_set $tallygate_decision $upstream_http_tallygate_decision;",
            "auth_request_set $tallygate_reason $upstream_http_tallygate_reason;",
            "auth_request_set $tallygate_step_up $upstream_http_tallygate_step_up;",
            "error_page 401 403 = @refused;",
            *_error_pages(),
        ]
        # Only refusals have a number there, and a record.
        lines += [
            "access_log logs/decisions.log decisions buffer=32k flush=200ms if=$tallygate_decision;",
            *block(f"location = {DECIDE}", _asking(host, listener, certificate=settings.asks_certificate)),
            *block("location @refused", _refusing(host, port, listener)),
        ]
    if settings.decides:
        forwarded.append(_HEARD_OUT)
        # The zone is part of the role's own decision.
        forwarded.append(f"proxy_set_header Tallygate-Listener {listener};")
        lines.append("access_log logs/decisions.log own_decisions buffer=32k flush=200ms;")
    for pattern in dict.fromkeys((*settings.limited, *(settings.paths or ("/*",)))):
        # A location that names a limit inherits none.
        here = limits if pattern in settings.limited else ()
        lines += block("location /" if pattern == "/*" else pattern_location(pattern), [*here, *forwarded])
    if settings.paths:
        lines += block("location /", ["return 404;"])
    return _server(host, port, address=address, asks_certificate=settings.asks_certificate, lines=lines)


def pki_host(host: str, port: int, role: str, *, address: str, answers: Path, lasting: timedelta) -> list[str]:
    """What must be reachable before trust exists, over plain HTTP.

    Below ``answers`` lie OCSP answers made beforehand, by the address that asks for them, which may be given out for
    ``lasting`` from their making; what is not there, and every POST, is the role's to answer.
    """
    forwarded = [
        "client_max_body_size 64k;",
        "proxy_pass_request_headers off;",
        f"proxy_set_header Host {host}:{port};",
        'proxy_set_header Connection "";',
        "proxy_set_header Accept $http_accept;",
        "proxy_set_header Content-Type $content_type;",
        "proxy_set_header If-Modified-Since $http_if_modified_since;",
        "proxy_set_header If-None-Match $http_if_none_match;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto http;",
        f"proxy_set_header X-Forwarded-Host {host}:{port};",
        *_forward(role),
    ]
    return block(
        "server",
        [
            f"listen {address}:{port};",
            f"server_name {host};",
            *_page_headers(tls=False),
            *_error_pages(),
            *_page_locations(tls=False),
            *(line for folder in ("crl", "ca", "tsa") for line in block(f"location ^~ /{folder}/", forwarded)),
            *_answers(forwarded, answers, lasting),
            *block("location /", ["return 404;"]),
        ],
    )


def _answers(forwarded: list[str], folder: Path, lasting: timedelta) -> list[str]:
    beforehand = [
        f"root {quoted(folder)};",
        # Another role fills the folder: no link of its may lead to what is nginx's alone.
        "disable_symlinks on;",
        "types {}",
        "default_type application/ocsp-response;",
        "try_files $uri @ocsp;",
        "log_not_found off;",
        # Counted from the file's time, which is the answer's (RFC 9919 section 6.2).
        f"expires modified +{int(lasting.total_seconds())}s;",
        *(line for line in _page_headers(tls=False) if "Cache-Control" not in line),
        'add_header Cache-Control "public, no-transform, must-revalidate";',
    ]
    return [*block("location ^~ /ocsp/", beforehand), *block("location @ocsp", forwarded)]


def stranger(port: int, *, tls: bool, address: str) -> list[str]:
    """Whatever no host of ours was asked for: no handshake, or 421 (RFC 9110 section 15.5.20)."""
    return block(
        "server",
        [
            f"listen {address}:{port}{' ssl' if tls else ''} default_server;",
            'server_name "";',
            *(["ssl_reject_handshake on;"] if tls else []),
            *_page_headers(tls=tls),
            *_error_pages(),
            f"error_page 421 {_PAGES}/421.$tallygate_page;",
            *_page_locations(tls=tls),
            *block("location /", ["return 421;"]),
        ],
    )


def sign_of_life(socket: Path) -> list[str]:
    """Where the supervisor asks this nginx and can take no other for it; it answers when every listener is open."""
    return block(
        "server",
        [
            f"listen {quoted(f'unix:{socket}')};",
            *block("location = /readyz", ["default_type text/plain;", "return 200 ready;"]),
            *block("location /", ["return 404;"]),
        ],
    )


def _server(host: str, port: int, *, address: str, asks_certificate: bool, lines: Iterable[str]) -> list[str]:
    return block(
        "server",
        [
            f"listen {address}:{port} ssl;",
            f"server_name {host};",
            # The name in TLS decided whether a certificate was asked for; the name in HTTP must be the same.
            *block(f"if ($ssl_server_name != {host})", ["return 421;"]),
            # Any certificate passes TLS; chain, purpose and status are checked by the role that uses it.
            *(["ssl_verify_client optional_no_ca;", "ssl_verify_depth 4;"] if asks_certificate else []),
            *_page_headers(tls=True),
            *_error_pages(),
            *_page_locations(tls=True),
            # Probes are for the supervisor, not for the world; applications take several slashes at the front for one.
            *block("location ~ ^/+(livez|readyz)$", ["return 404;"]),
            *lines,
        ],
    )


def _asking(host: str, listener: str, *, certificate: bool) -> list[str]:
    # Nothing of the client's reaches the decision but what is named here.
    return [
        "internal;",
        "proxy_pass_request_headers off;",
        "proxy_pass_request_body off;",
        f"proxy_set_header Host {host};",
        'proxy_set_header Connection "";',
        'proxy_set_header Content-Length "";',
        'proxy_set_header Transfer-Encoding "";',
        *_original(host, listener),
        "proxy_set_header X-Original-URI $request_uri;",
        "proxy_set_header Tallygate-Request $request_id;",
        "proxy_set_header Cookie $http_cookie;",
        "proxy_set_header Authorization $http_authorization;",
        "proxy_set_header DPoP $http_dpop;",
        # Only for being refused: what a request was is said by nginx alone.
        "proxy_set_header Forwarded $http_forwarded;",
        "proxy_set_header Tallygate-Upgrade $http_upgrade;",
        "proxy_set_header Tallygate-Origin $http_origin;",
        "proxy_set_header Tallygate-Length $http_transfer_encoding$http_content_length;",
        "proxy_set_header Tallygate-Media $http_content_type;",
        *(["proxy_set_header Tallygate-Client-Certificate $ssl_client_escaped_cert;"] if certificate else []),
        _HEARD_OUT,
        f"proxy_pass http://{DECIDERS}/decide/{listener};",
    ]


def _refusing(host: str, port: int, listener: str) -> list[str]:
    return [
        # The query stays for the sake of ?lang=; the page reads nothing else of it.
        "rewrite ^ /.tallygate/denied break;",
        "proxy_method GET;",
        "proxy_pass_request_body off;",
        *_headers(host, port, ("Accept", "Accept-Language", "Sec-Fetch-Dest", "Sec-Fetch-Mode")),
        'proxy_set_header Content-Length "";',
        *_original(host, listener),
        "proxy_set_header Tallygate-Reason $tallygate_reason;",
        "proxy_set_header Tallygate-Step-Up $tallygate_step_up;",
        "proxy_set_header Tallygate-Could $tallygate_could;",
        "proxy_set_header Tallygate-Decision $tallygate_decision;",
        *_forward("gateway"),
    ]


def _original(host: str, listener: str) -> list[str]:
    return [
        "include secrets/gateway.conf;",
        f"proxy_set_header Tallygate-Listener {listener};",
        "proxy_set_header X-Original-Method $request_method;",
        f"proxy_set_header X-Original-Host {host};",
        "proxy_set_header X-Client-Address $remote_addr;",
    ]


def _headers(
    host: str, port: int, names: Iterable[str], *, cookie: str = "$http_cookie", token: bool = True
) -> list[str]:
    """The client's headers that pass, by first value, and the ones that nginx vouches for."""
    return [
        "proxy_pass_request_headers off;",
        f"proxy_set_header Host {host}:{port};",
        'proxy_set_header Connection "";',
        *(f"proxy_set_header {name} $http_{_variable(name)};" for name in names),
        f"proxy_set_header Cookie {cookie};",
        *(["proxy_set_header Authorization $http_authorization;"] if token else []),
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto https;",
        f"proxy_set_header X-Forwarded-Host {host}:{port};",
        # The target as it was decided on; WSGI shows applications only the decoded path.
        "proxy_set_header X-Original-URI $request_uri;",
    ]


def _forward(role: str) -> list[str]:
    return [
        # An empty header is not sent, but it ends the inheritance of nginx's own headers: the role sets its own.
        'add_header Tallygate-Boundary "";',
        *(f"proxy_hide_header {name};" for name in (HEADER, TIES, "Tallygate-Decision", "Tallygate-Reason")),
        # Without a path of its own this forwards the target as it came, undecoded.
        f"proxy_pass http://role_{role.replace(':', '_')};",
    ]


def _static() -> list[str]:
    return block(
        "location ^~ /static/",
        [
            "root .;",
            *(line for line in _page_headers(tls=True) if "Cache-Control" not in line),
            'add_header Cache-Control "public, max-age=3600" always;',
        ],
    )


def _page_headers(*, tls: bool) -> list[str]:
    return [
        f'add_header {name} "{value}" always;'
        for name, value in SECURITY_HEADERS
        if tls or name != "Strict-Transport-Security"
    ]


def _page_locations(*, tls: bool) -> list[str]:
    headers = _page_headers(tls=tls)
    return [
        *block(f"location ^~ {_PAGES}/", ["internal;", "root .;", *headers]),
        *block(f"location ^~ {_PAGES}/503.", ["internal;", "root .;", *headers, 'add_header Retry-After "5" always;']),
    ]


def _error_pages() -> list[str]:
    # 494 is nginx's own number for headers over the limit, 497 for plain HTTP at a TLS port.
    # 421 has a page at the stranger only: elsewhere it is said before any location is chosen, and again for its page.
    mapped = {status: str(status) for status in STATUSES if status != _MISDIRECTED}
    # 501 is an unknown transfer coding: the visitor's mistake, whatever its number (RFC 9112 section 6.1).
    mapped |= {414: "400", 494: "431", 495: "400", 496: "400", 497: "400", 501: "400"}
    mapped |= {500: "503", 502: "503", 504: "503"}
    return [
        f"error_page {status} ={shown} {_PAGES}/{shown}.$tallygate_page;" for status, shown in sorted(mapped.items())
    ]


def _variable(name: str) -> str:
    return name.lower().replace("-", "_")
