# SPDX-License-Identifier: Apache-2.0
"""What another proxy needs to stand before the guarded hosts of one listener beside nginx, and Caddy's part of it.

They keep nginx's rules: the zone is the listener, a host is sent the headers that the settings name and no others,
everything else of the client's ends here whatever its spelling, and nothing is forwarded without a decision.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.calls import CALLER_HEADER, SECRET_HEADER
from core.identity import HEADER
from core.site import SiteSettings

from ..config import COOKIES, LISTENERS, WELL_KNOWN, GatewaySettings, Route
from ..models import TIES

_SAFE = re.compile(r"[A-Za-z0-9_./:@=+,-]*\Z")
OWN = ("login", "callback", "logout", "keys")
ALONE = ("Tallygate-Decision", "Tallygate-Reason", "Tallygate-Step-Up", "Tallygate-Could")
ANSWERS = (HEADER, TIES, *ALONE, "Clear-Site-Data")
"""Headers of a host's answer that end at the boundary."""
COOKIES_OF_OURS = "|".join(COOKIES)
"""As one part of a regular expression."""
STRICT = "max-age=31536000; includeSubDomains"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One Caddy or HAProxy of the site."""

    site: SiteSettings
    settings: GatewaySettings
    # The listener whose zone its requests are of, and where it listens.
    listener: str
    address: str
    # Its own folder: ``tls.crt`` and ``tls.key`` are put there.
    folder: Path
    # Its pair secret with the gateway.
    secret: bytes

    def __post_init__(self) -> None:
        if self.listener not in LISTENERS:
            raise ValueError(f"listener must be one of {', '.join(LISTENERS)}")

    @property
    def port(self) -> int:
        """The listener's, which is part of every origin."""
        port: int = getattr(self.site.ports, self.listener)
        return port

    def socket(self, role: str) -> str:
        """The path of a role's socket."""
        return plain(str(self.site.socket(role)))


def caddy(edge: Edge) -> Mapping[str, str]:
    """The Caddyfile, by name of the file."""
    lines = [
        "# Written by tallygate; changes made here are lost.",
        *_block(
            "",
            [
                "admin off",
                "auto_https off",
                f"storage file_system {plain(str(edge.folder))}/storage",
                *_block("log", ["level ERROR"]),
                *_block(
                    "servers",
                    [
                        "protocols h1",
                        "strict_sni_host on",
                        "max_header_size 32KB",
                        *_block("timeouts", ["read_header 10s", "read_body 15s", "idle 30s"]),
                    ],
                ),
            ],
        ),
    ]
    for label, route in edge.settings.routes.items():
        lines += _caddy_host(edge, edge.site.host(label), route)
    return {"Caddyfile": "\n".join(lines) + "\n"}


def plain(value: str) -> str:
    """A literal that neither language reads otherwise.

    Raises:
        ValueError: it holds a character that could.
    """
    if not _SAFE.match(value):
        raise ValueError(f"{value!r} cannot stand in a proxy's configuration")
    return value


def _caddy_host(edge: Edge, host: str, route: Route) -> list[str]:
    site, listener = f"{plain(host)}:{edge.port}", edge.listener
    gateway = f"unix/{edge.socket('gateway')}"
    secret = plain(base64.b64encode(edge.secret).decode())
    names = edge.settings.headers
    told = [f"header_up {CALLER_HEADER} caddy", f"header_up {SECRET_HEADER} {secret}"]
    original = [
        *told,
        f"header_up Host {site}",
        f"header_up Tallygate-Listener {listener}",
        "header_up X-Original-Method {http.vars.tg_method}",
        f"header_up X-Original-Host {host}",
        "header_up X-Original-URI {http.vars.tg_uri}",
        "header_up X-Client-Address {http.request.remote.host}",
    ]
    restored = [
        line
        for name in names
        for line in (
            f'@tg_{_variable(name)} not vars {{http.vars.tg_{_variable(name)}}} ""',
            f"request_header @tg_{_variable(name)} {plain(name)} {{http.vars.tg_{_variable(name)}}}",
        )
    ]
    asking = [
        *told,
        f"uri /decide/{listener}?",
        f"header_up Host {host}",
        # `forward_auth` says the method and the target in its own names; the rest is said beside.
        "header_up X-Forwarded-Method {http.vars.tg_method}",
        "header_up X-Forwarded-Uri {http.vars.tg_uri}",
        f"header_up X-Forwarded-Host {host}",
        "header_up X-Forwarded-For {http.request.remote.host}",
        "header_up Tallygate-Request {http.request.uuid}",
        "header_up Cookie {http.vars.tg_cookie}",
        "header_up Authorization {http.vars.tg_authorization}",
        "header_up DPoP {http.vars.tg_dpop}",
        "header_up Forwarded {http.vars.tg_forwarded}",
        "header_up Tallygate-Length {http.vars.tg_length}",
        "header_up Tallygate-Media {http.vars.tg_content_type}",
        *(
            ["header_up Tallygate-Client-Certificate {http.request.tls.client.certificate_der_base64}"]
            if asks(route)
            else []
        ),
        f"copy_headers {HEADER} Tallygate-Decision",
        "@refused status 401 403",
        *_block(
            "handle_response @refused",
            [
                *(f"vars tg_{_variable(name)} {{http.reverse_proxy.header.{name}}}" for name in ALONE),
                *_block(
                    f"reverse_proxy {gateway}",
                    [
                        "method GET",
                        "rewrite /.tallygate/denied",
                        *original,
                        *(f"header_up {name} {{http.vars.tg_{_variable(name)}}}" for name in ALONE),
                        *(
                            f"header_up {name} {{http.vars.tg_{_variable(name)}}}"
                            for name in ("Accept", "Accept-Language", "Sec-Fetch-Dest", "Sec-Fetch-Mode")
                        ),
                    ],
                ),
            ],
        ),
        *_block("handle_response", ["respond 503"]),
    ]
    forwarded = [
        f"header_up Host {site}",
        f"header_up X-Forwarded-Host {site}",
        "header_up X-Forwarded-Proto https",
        "header_up X-Original-URI {http.vars.tg_uri}",
        *(f"header_down -{name}" for name in ANSWERS),
        rf'header_down Set-Cookie "(?i)^[ \t]*({COOKIES_OF_OURS})[ \t]*=.*$" "refused=; Max-Age=0"',
        r'header_down Set-Cookie "(?i);[ \t]*domain=[^;]*(;|$)" "$1"',
        f'header_down Strict-Transport-Security "{STRICT}"',
    ]
    told_to_all = [f"{WELL_KNOWN}{plain(path)}" for path in sorted(route.resources)]
    own = " ".join([*(f"/.tallygate/{name}" for name in OWN), *told_to_all])
    return _block(
        f"https://{site}",
        [
            f"bind {plain(edge.address)}",
            *_block(
                f"tls {plain(str(edge.folder))}/tls.crt {plain(str(edge.folder))}/tls.key",
                [
                    "protocols tls1.2 tls1.3",
                    *(_block("client_auth", ["mode request"]) if asks(route) else []),
                ],
            ),
            *_block("request_body", [f"max_size {edge.settings.body_limit}MiB"]),
            *_block(
                "route",
                [
                    # Caddy tells nobody of a body in chunks, which would pass for none: its first byte is looked for.
                    "@unsaid not header Content-Length *",
                    *_block("request_body @unsaid", ["max_size 1B"]),
                    "vars @unsaid tg_unsaid {http.request.body}",
                    *_block("@chunks", ["not header Content-Length *", 'not vars {http.vars.tg_unsaid} ""']),
                    "respond @chunks 411",
                    "vars tg_method {http.request.method}",
                    "vars tg_uri {http.request.uri}",
                    *(
                        f"vars tg_{_variable(name)} {{http.request.header.{name}}}"
                        for name in dict.fromkeys(
                            (*names, "Content-Type", "DPoP", "Cookie", "Authorization", "Forwarded")
                        )
                    ),
                    "vars tg_length {http.request.header.Content-Length}",
                    "@probe path_regexp ^/+(livez|readyz)$",
                    "respond @probe 404",
                    # Two stars: Caddy reads one as a prefix and a suffix that overlap.
                    "request_header -**",
                    f"request_header Host {site}",
                    f"@own path {own}",
                    *_block(
                        "handle @own",
                        [
                            *restored,
                            "request_header Cookie {http.vars.tg_cookie}",
                            *_block(f"reverse_proxy {gateway}", original),
                        ],
                    ),
                    *_block("handle /.tallygate/*", ["respond 404"]),
                    *_block("handle /static/*", [*_block(f"reverse_proxy {gateway}", [f"header_up Host {site}"])]),
                    *_block(
                        "handle",
                        _block(
                            "route",
                            [
                                *_block(f"forward_auth {gateway}", asking),
                                f'@nobody header {HEADER} ""',
                                f"request_header @nobody -{HEADER}",
                                *restored,
                                "request_header Cookie {http.vars.tg_cookie}",
                                rf'request_header Cookie "(?i)(^|[;,])[ \t]*({COOKIES_OF_OURS})[ \t]*=[^;,]*" "$1"',
                                '@bare header Cookie ""',
                                "request_header @bare -Cookie",
                                *(
                                    ["request_header Authorization {http.vars.tg_authorization}"]
                                    if route.passes_token
                                    else []
                                ),
                                *_block(f"reverse_proxy unix/{edge.socket(route.role)}", forwarded),
                            ],
                        ),
                    ),
                ],
            ),
            *_block(
                "handle_errors",
                ["@misdirected expression {http.error.status_code} == 421", "respond @misdirected 421", "respond 503"],
            ),
        ],
    )


def _block(head: str, lines: list[str]) -> list[str]:
    return [f"{head} {{".lstrip(), *(f"\t{line}" for line in lines), "}"]


def asks(route: Route) -> bool:
    """Whether TLS asks for certificates: devices show theirs, or proxies of other zones."""
    return route.asks_certificate


def _variable(name: str) -> str:
    return name.lower().replace("-", "_")
