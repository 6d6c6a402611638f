# SPDX-License-Identifier: Apache-2.0
"""HAProxy's language: before the guarded hosts of one listener beside nginx, or for a whole site in nginx's place.

What it is told is one configuration, and one script in Lua with a table above it: the script asks the gateway, and
knows of each host what becomes of its requests. As the site's only proxy it says what nginx says, word for word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from core.site import SiteSettings

from ..config import LISTENERS, LIVE, GatewaySettings
from .edges import ANSWERS, COOKIES_OF_OURS, STRICT, Edge, asks, plain
from .pages import STATUSES, pages
from .script import Host, backend, script
from .servers import SECURITY_HEADERS

_BELOW = ("crl", "ca", "tsa", "ocsp")
"""Folders of the plain listener."""
_SMALL = 64 * 1024
"""Bytes of a body there."""
_LONGEST = 8 * 1024
"""Bytes of an address, and of a header that people's browsers keep for us."""
_PAGES = "pages"
_OWN_ERRORS = {400: 400, 408: 400, 500: 503, 502: 503, 503: 503, 504: 503}
"""Statuses that HAProxy gives by itself, and the page that is shown for each."""
_MEDIA = {"html": "text/html; charset=utf-8", "json": "application/problem+json"}
_NAMES = {400: "Bad Request", 503: "Service Unavailable"}
_WORST = 503


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A site whose only proxy this is."""

    site: SiteSettings
    settings: GatewaySettings
    # Its secrets, by the role that shares each.
    secrets: Mapping[str, bytes]


def haproxy(edge: Edge) -> Mapping[str, str]:
    """Beside nginx: configuration, the script that asks, and the list of certificates, by name of the file."""
    hosts = _guarded(edge.site, edge.settings, (edge.listener,), sockets=False)
    written = script(edge.site, edge.settings, hosts, caller="haproxy", secrets={"gateway": edge.secret}, whole=False)
    folder = plain(str(edge.folder))
    lines = [
        *_general(folder, whole=False),
        *_frontend(edge.listener, f"{edge.address}:{edge.port}", folder, hosts, edge.settings, whole=False),
        *_counting(edge.settings),
        *_backends(edge.site, hosts),
    ]
    return {
        "haproxy.cfg": _text(lines),
        f"{edge.listener}.list": _certificates(hosts, edge.listener, folder),
        "tallygate.lua": written,
    }


def whole(edge: Whole) -> Mapping[str, str]:
    """In nginx's place: every listener, the plain one, and where the supervisor asks; by name of the file."""
    site, settings = edge.site, edge.settings
    folder = plain(str(site.folder("nginx")))
    hosts = _guarded(site, settings, LISTENERS, sockets=True) | {
        site.host(label): Host(
            role=host.role,
            guarded=False,
            certificate=host.client_certificate,
            peers=host.peers,
            listeners=host.listeners or LISTENERS,
            asked=host.asked,
            decides=host.decides,
            paths=host.paths,
            limited=host.limited,
        )
        for label, host in settings.open_hosts.items()
    }
    lines = [
        *_general(folder, whole=True),
        *(
            line
            for listener in LISTENERS
            for line in _frontend(
                listener,
                f"{site.ports.address}:{getattr(site.ports, listener)}",
                folder,
                hosts,
                settings,
                whole=True,
            )
        ),
        *_plain_listener(site, settings, folder),
        "frontend sign",
        f"    bind unix@{plain(str(site.socket('nginx')))} mode 666",
        '    http-request return status 200 content-type text/plain string "ready" if { path /readyz }',
        "    http-request return status 404",
        *_counting(settings),
        *_backends(site, hosts, also=(settings.pki_role,), folder=folder),
        *_keeper(plain(str(site.socket("gateway", LIVE))), folder),
    ]
    written = script(site, settings, hosts, caller="nginx", secrets=edge.secrets, whole=True)
    made = {
        "haproxy.cfg": _text(lines),
        "tallygate.lua": written,
        **{f"{listener}.list": _certificates(hosts, listener, folder) for listener in LISTENERS},
    }
    shown = {name: text.decode() for name, text in pages(title=site.title, title_zh=site.title_zh).items()}
    made |= {f"{_PAGES}/{name}": text for name, text in shown.items()}
    for media in _MEDIA:
        made |= {f"errors/{page}.{media}": _raw(page, media, shown[f"{page}.{media}"]) for page in _OWN_ERRORS.values()}
    return made


def _guarded(
    site: SiteSettings, settings: GatewaySettings, listeners: tuple[str, ...], *, sockets: bool
) -> dict[str, Host]:
    return {
        site.host(label): Host(
            role=route.role,
            guarded=True,
            certificate=asks(route),
            listeners=listeners,
            passes_token=route.passes_token,
            sockets=route.sockets if sockets else (),
        )
        for label, route in settings.routes.items()
    }


def _general(folder: str, *, whole: bool) -> list[str]:
    lines = [
        "# Written by tallygate; changes made here are lost.",
        "global",
        # One state of Lua for each thread, so that none waits for another's request.
        f"    lua-load-per-thread {folder}/tallygate.lua",
        "    fd-hard-limit 16384",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        "    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
        "    ssl-load-extra-files key",
        "    ssl-load-extra-del-ext",
        "    tune.ssl.cachesize 0",
        # A request's head must fit, with what is added to it.
        "    tune.bufsize 32768",
        "    tune.maxrewrite 8192",
        "defaults",
        "    mode http",
        "    option dontlognull",
        # A role that restarted has closed what was kept open; Unix sockets are cheap.
        "    option http-server-close",
        "    timeout connect 5s",
        "    timeout client 30s",
        "    timeout server 60s",
        "    timeout http-request 10s",
        "    timeout http-keep-alive 30s",
        # How long a WebSocket may be silent; how long it may last is the keeper's business.
        "    timeout tunnel 1h",
    ]
    return [*lines, *(_errors(folder, "html") if whole else [])]


def _errors(folder: str, media: str) -> list[str]:
    """What is shown when HAProxy itself has to say no; it cannot choose by what the client takes."""
    return [f"    errorfile {status} {folder}/errors/{page}.{media}" for status, page in _OWN_ERRORS.items()]


def _frontend(
    listener: str, bound: str, folder: str, hosts: Mapping[str, Host], settings: GatewaySettings, *, whole: bool
) -> list[str]:
    """``bound`` is address and port."""
    here = [host for host, known in hosts.items() if listener in known.listeners]
    # Any certificate passes TLS; chain, purpose and status are checked by the role that uses it.
    tls = f"ssl crt-list {folder}/{listener}.list strict-sni alpn http/1.1 ca-ignore-err all crt-ignore-err all"
    says = _Says(folder, whole=whole)
    return [
        f"frontend {listener}",
        f"    bind {plain(bound)} {tls}",
        "    unique-id-format %[uuid(),regsub(-,,g)]",
        *(_noting(bound.rpartition(":")[2]) if whole else []),
        "    tcp-request connection track-sc0 src,ipmask(32,64) table addresses",
        *(["    http-request set-log-level silent"] if whole else []),
        "    http-request set-var(txn.request) unique-id",
        # The name in TLS decided whether a certificate was asked for; the name in HTTP must be the same.
        *says(400, "!{ req.hdr(host) -m found }"),
        "    http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)",
        *says(421, "!{ ssl_fc_sni,lower,strcmp(txn.host) eq 0 }"),
        *says(421, f"!{{ var(txn.host) -m str {' '.join(here)} }}"),
        *says(429, f"{{ sc_http_req_rate(0) gt {_most(settings.rate, settings.burst)} }}"),
        *says(429, f"{{ sc_conn_cur(0) gt {settings.connections} }}"),
        *says(400, f"{{ url,length gt {_LONGEST} }}"),
        *says(431, f"{{ req.hdr(cookie),length gt {_LONGEST} }}"),
        *_bodies(says, settings.body_limit << 20),
        # Probes are for the supervisor, not for the world; applications take several slashes at the front for one.
        *says(404, "{ path,url_dec -m reg ^/+(livez|readyz)$ }"),
        # A script that fails leaves the request as it was and HAProxy goes on: so the answer stands there beforehand.
        "    http-request set-var(txn.to) str(nowhere)",
        "    http-request lua.tallygate-place",
        *(["    http-request set-log-level info if { var(txn.noted) -m found }"] if whole else []),
        "    http-request track-sc1 src,ipmask(32,64) table strangers if { var(txn.limited) -m found }",
        *says(
            429,
            "{ var(txn.limited) -m found }"
            f" {{ sc_http_req_rate(1) gt {_most(settings.stranger_rate, settings.stranger_burst)} }}",
        ),
        *says(404, "{ var(txn.to) -m str nobody }"),
        *says(400, "{ var(txn.to) -m str unclear }"),
        "    http-request lua.tallygate",
        *(["    http-request set-log-level info if { var(txn.noted) -m found }"] if whole else []),
        *says(503, "{ var(txn.to) -m str nowhere }"),
        *(["    use_backend %[var(txn.to)]_page if { req.hdr(accept) -m sub text/html }"] if whole else []),
        "    use_backend %[var(txn.to)]",
    ]


def _noting(port: str) -> list[str]:
    """One line for each request to a host where decisions are made, as nginx writes them (``proxy.configuration``)."""
    said = {"host": "txn.host", "request": "txn.request", "to": "txn.sent", "decision": "txn.decision"}
    parts = [f'"port":"{port}"', '"status":"%ST"', *(f'"{name}":"%[var({var})]"' for name, var in said.items())]
    nothing = ",".join(f'"{name}":""' for name in said)
    return [
        # To the operational log, which holds neither addresses nor paths. Not for all: the script's questions are none.
        "    log stdout format raw local0 info",
        f"    log-format '{{{','.join(parts)}}}'",
        # A handshake that failed; the usual line would hold the address.
        f"""    error-log-format '{{"port":"{port}","status":"0",{nothing}}}'""",
    ]


def _bodies(says: "_Says", largest: int) -> list[str]:
    """Bodies are counted by what they announce, so that one of no announced length is refused (RFC 9110 15.5.12)."""
    return [
        *says(413, f"{{ req.hdr_val(content-length) gt {largest} }}"),
        *says(411, "{ req.hdr(transfer-encoding) -m found }"),
    ]


def _plain_listener(site: SiteSettings, settings: GatewaySettings, folder: str) -> list[str]:
    says = _Says(folder, whole=True, tls=False)
    below = " ".join(f"/{name}/" for name in _BELOW)
    return [
        "frontend plain",
        f"    bind {plain(site.ports.address)}:{site.ports.plain}",
        "    tcp-request connection track-sc0 src,ipmask(32,64) table addresses",
        "    http-request set-var(txn.host) req.hdr(host),field(1,:),lower",
        *says(421, f"!{{ var(txn.host) -m str {plain(site.host('pki'))} }}"),
        *says(429, f"{{ sc_http_req_rate(0) gt {_most(settings.rate, settings.burst)} }}"),
        *_bodies(says, _SMALL),
        *says(404, f"!{{ path_beg {below} }}"),
        *says(400, "{ path,url_dec -m reg (^|/)[.][.]?(/|$) }"),
        "    http-request lua.tallygate-plain",
        f"    default_backend {backend(settings.pki_role)}",
    ]


def _counting(settings: GatewaySettings) -> list[str]:
    lines = []
    for name, rate, burst in (
        ("addresses", settings.rate, settings.burst),
        ("strangers", settings.stranger_rate, settings.stranger_burst),
    ):
        seconds = _seconds(rate, burst)
        stored = f"http_req_rate({seconds}s)" + (",conn_cur" if name == "addresses" else "")
        lines += [f"backend {name}", f"    stick-table type ipv6 size 100k expire {seconds + 10}s store {stored}"]
    return lines


def _seconds(rate: int, burst: int) -> int:
    """Over how long is counted: so many come at once, and no more than ``rate`` for each second in the long run."""
    return max(1, ceil(burst / rate))


def _most(rate: int, burst: int) -> int:
    return rate * _seconds(rate, burst)


def _backends(
    site: SiteSettings, hosts: Mapping[str, Host], *, also: Iterable[str] = (), folder: str = ""
) -> list[str]:
    roles = sorted({known.role for known in hosts.values()} | {"gateway", *also})
    return [line for role in roles for line in _backend_of(backend(role), plain(str(site.socket(role))), folder)]


def _backend_of(name: str, socket: str, folder: str) -> list[str]:
    """One to ask, and in a site that is whole another whose errors are pages."""
    lines = []
    for more, media in (("", "json"), ("_page", "html")) if folder else (("", ""),):
        lines += [f"backend {name}{more}", f"    server only unix@{socket}", *_answered(name)]
        lines += _errors(folder, media) if folder else []
    return lines


def _keeper(socket: str, folder: str) -> list[str]:
    """Every answer but the change itself has a page of ours."""
    says = _Says(folder, whole=True, rule="http-response")
    lines = []
    for name, media in (("gateway_live", "json"), ("gateway_live_page", "html")):
        lines += [
            f"backend {name}",
            f"    server only unix@{socket}",
            *_answered("gateway_live"),
            *_errors(folder, media),
            *says.one(400, media, "{ status 400 }"),
            *says.one(503, media, "{ status 500:599 }"),
        ]
    return lines


def _answered(name: str) -> list[str]:
    """What becomes of an answer: nothing that only the gateway may say, and none of its cookies."""
    ours = rf"'(?i)^[ \t]*({COOKIES_OF_OURS})[ \t]*=.*$'"
    guarded = "if { var(txn.guarded) -m found }"
    return [
        f"    http-request set-var(txn.sent) str({name})",
        "    http-response set-var(txn.decision) res.hdr(tallygate-decision) if { var(txn.decides) -m found }",
        *(f"    http-response del-header {each}" for each in ANSWERS if each != "Clear-Site-Data"),
        # Would reach the cookies of the sign-on and of every neighbour.
        f"    http-response del-header Clear-Site-Data {guarded}",
        f"    http-response replace-header Set-Cookie {ours} 'refused=; Max-Age=0' {guarded}",
        rf"    http-response replace-header Set-Cookie '(?i)^(.*?);[ \t]*domain=[^;]*(.*)$' '\1\2' {guarded}",
        f'    http-response set-header Strict-Transport-Security "{STRICT}" {guarded}',
    ]


class _Says:
    """Answers of HAProxy's own; for a whole site with a page for people and a problem document for programs."""

    def __init__(self, folder: str, *, whole: bool, tls: bool = True, rule: str = "http-request") -> None:
        self._folder, self._whole, self._tls, self._rule = folder, whole, tls, rule

    def __call__(self, status: int, condition: str) -> list[str]:
        """The rules that answer so where the condition holds."""
        if not self._whole or status not in STATUSES:
            return [f"    {self._rule} return status {status} if {condition}"]
        wants = " { req.hdr(accept) -m sub text/html }"
        return [*self.one(status, "html", condition + wants), *self.one(status, "json", condition)]

    def one(self, status: int, media: str, condition: str) -> list[str]:
        """The same, whatever the client takes."""
        answer = (
            f'    {self._rule} return status {status} content-type "{_MEDIA[media]}"'
            f" file {self._folder}/{_PAGES}/{status}.{media} {self._headers(status)} if {condition}"
        )
        return [answer]

    def _headers(self, status: int) -> str:
        told = [*_own_headers(tls=self._tls), *([("Retry-After", "5")] if status == _WORST else [])]
        return " ".join(f'hdr {name} "{value}"' for name, value in told)


def _own_headers(*, tls: bool) -> list[tuple[str, str]]:
    return [(name, value) for name, value in SECURITY_HEADERS if tls or name != "Strict-Transport-Security"]


def _raw(status: int, media: str, page: str) -> str:
    """A whole answer, for what HAProxy says when no rule was asked."""
    headers = [
        f"HTTP/1.1 {status} {_NAMES[status]}",
        f"Content-Type: {_MEDIA[media]}",
        f"Content-Length: {len(page.encode())}",
        *(f"{name}: {value}" for name, value in _own_headers(tls=True)),
        *(["Retry-After: 5"] if status == _WORST else []),
    ]
    return "\r\n".join(headers) + "\r\n\r\n" + page


def _certificates(hosts: Mapping[str, Host], listener: str, folder: str) -> str:
    lines = []
    for host, known in hosts.items():
        if listener in known.listeners:
            asking = f"[verify optional ca-file {folder}/tls.crt] " if known.certificate or known.peers else ""
            lines.append(f"{folder}/tls.crt {asking}{plain(host)}")
    return _text(lines)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
