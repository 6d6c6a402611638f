# SPDX-License-Identifier: Apache-2.0
"""The whole configuration of a site's nginx: limits, listeners, hosts.

Every guarded host stands at every TLS listener; the zone of a request is the listener it came in by and nothing
else. What no block names is refused. nginx owns one folder, which is its prefix; all relative paths are meant from it.
"""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta

from core.calls import CALLER_HEADER, SECRET_HEADER
from core.site import SiteSettings

from ..config import ASK, LISTENERS, LIVE, GatewaySettings
from . import cookies
from .blocks import block, quoted
from .servers import DECIDERS, KEEPER, guarded_host, open_host, pki_host, sign_of_life, stranger

_LINE = {
    "host": "$host",
    "port": "$server_port",
    "status": "$status",
    # The number nginx gave the request; the gateway's entry repeats it.
    "request": "$request_id",
    # Whom the request was forwarded to; empty if nginx answered by itself.
    "to": "$proxy_host",
}
"""One line of ``logs/decisions.log``, but for the decision's number: where it comes from differs."""

_MARGIN = timedelta(minutes=1)
"""Caches let go of an OCSP answer so long before it ends; clocks differ."""

SECRETS = ("gateway", "sso", "ca")
"""Roles that believe nginx something: the original request, and the client certificates of the hosts that ask."""


def configuration(
    site: SiteSettings, settings: GatewaySettings, *, answers_last: timedelta = timedelta(hours=1)
) -> str:
    """The text of ``nginx.conf``; OCSP answers made beforehand are good for ``answers_last`` from their making."""
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# Written by tallygate at every start; changes made here are lost.",
        "daemon off;",
        "pid nginx.pid;",
        # The operational log holds no addresses and no paths; nginx writes both from level error down.
        "error_log logs/error.log crit;",
        "worker_processes auto;",
        "worker_shutdown_timeout 10s;",
        *block("events", ["worker_connections 4096;"]),
        *block("http", [*_general(settings), *_upstreams(site, settings), *_servers(site, settings, answers_last)]),
    ]
    return "\n".join(lines) + "\n"


def host_names(site: SiteSettings, settings: GatewaySettings) -> tuple[str, ...]:
    """Every name the TLS certificate must carry."""
    return tuple(site.host(label) for label in sorted({*settings.routes, *settings.open_hosts}))


def secret_name(callee: str) -> str:
    """The include file that holds nginx's secret with one role."""
    return f"secrets/{callee}.conf"


def secret_include(secret: bytes) -> str:
    """Its content."""
    value = base64.b64encode(secret).decode()
    return f'proxy_set_header {CALLER_HEADER} nginx;\nproxy_set_header {SECRET_HEADER} "{value}";\n'


def _general(settings: GatewaySettings) -> Sequence[str]:
    return [
        "access_log off;",
        # Which decision each request was answered by: enough to compare with the record, and nothing personal.
        _log_format("decisions", "$tallygate_decision"),
        _log_format("own_decisions", "$upstream_http_tallygate_decision"),
        "server_tokens off;",
        "default_type application/octet-stream;",
        *block(
            "types",
            ["text/html html;", "text/css css;", "image/svg+xml svg;", "application/problem+json json;"],
        ),
        "charset utf-8;",
        "charset_types text/css;",
        *(f"{kind}_temp_path temp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        # What is decided must be what is forwarded: nginx neither merges nor guesses.
        "merge_slashes off;",
        "underscores_in_headers off;",
        "ignore_invalid_headers on;",
        "absolute_redirect off;",
        # Limits.
        f"client_max_body_size {settings.body_limit}m;",
        "client_header_buffer_size 2k;",
        "large_client_header_buffers 4 8k;",
        "client_header_timeout 10s;",
        "client_body_timeout 15s;",
        "send_timeout 15s;",
        "keepalive_timeout 30s;",
        "reset_timedout_connection on;",
        f"limit_req_zone $binary_remote_addr zone=address:10m rate={settings.rate}r/s;",
        f"limit_req_zone $binary_remote_addr zone=strangers:10m rate={settings.stranger_rate}r/s;",
        "limit_conn_zone $binary_remote_addr zone=connections:10m;",
        *_limits(settings, strangers=False),
        f"limit_conn connections {settings.connections};",
        "limit_req_status 429;",
        "limit_conn_status 429;",
        # TLS. Sessions are never resumed: a session opened at a host that asks for no certificate must not be
        # resumed at one that does (CVE-2025-23419).
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;",
        "ssl_prefer_server_ciphers on;",
        "ssl_session_cache off;",
        "ssl_session_tickets off;",
        "ssl_certificate tls.pem;",
        "ssl_certificate_key tls.key;",
        # Towards the roles.
        "proxy_http_version 1.1;",
        "proxy_buffer_size 16k;",
        "proxy_buffers 8 16k;",
        "proxy_busy_buffers_size 32k;",
        "proxy_connect_timeout 5s;",
        "proxy_read_timeout 60s;",
        # A kept connection may have been closed by a role that restarted. nginx then asks once more on a new one, but
        # never repeats what is not idempotent once it was sent.
        "proxy_next_upstream error;",
        # An upstream may not steer nginx: X-Accel-Redirect reaches internal locations.
        "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;",
        "recursive_error_pages on;",
        *cookies.maps(),
        *block("map $http_accept $tallygate_page", ["default json;", '"~*text/html" html;']),
    ]


def _limits(settings: GatewaySettings, *, strangers: bool) -> list[str]:
    lines = [f"limit_req zone=address burst={settings.burst} nodelay;"]
    if strangers:
        lines.append(f"limit_req zone=strangers burst={settings.stranger_burst} nodelay;")
    return lines


def _log_format(name: str, decision: str) -> str:
    line = json.dumps({**_LINE, "decision": decision}, separators=(",", ":"))
    return f"log_format {name} escape=json '{line}';"


def _upstreams(site: SiteSettings, settings: GatewaySettings) -> list[str]:
    roles = {route.role for route in settings.routes.values()}
    roles |= {host.role for host in settings.open_hosts.values()} | {"gateway", settings.pki_role}
    lines: list[str] = []
    for role in sorted(roles):
        server = quoted(f"unix:{site.socket(role)}")
        # A dead role is asked again at once: the supervisor brings it back within a second.
        lines += block(f"upstream role_{role.replace(':', '_')}", [f"server {server} max_fails=0;", "keepalive 32;"])
    # Another worker is asked where one is gone: what was not answered was not granted.
    asked = [quoted(f"unix:{site.socket('gateway', name)}") for name in ASK]
    lines += block(f"upstream {DECIDERS}", [*(f"server {each} max_fails=0;" for each in asked), "keepalive 64;"])
    keeper = quoted(f"unix:{site.socket('gateway', LIVE)}")
    return [*lines, *block(f"upstream {KEEPER}", [f"server {keeper} max_fails=0;"])]


def _servers(site: SiteSettings, settings: GatewaySettings, answers_last: timedelta) -> list[str]:
    lines = sign_of_life(site.socket("nginx"))
    address = site.ports.address
    for listener in LISTENERS:
        port: int = getattr(site.ports, listener)
        lines += stranger(port, tls=True, address=address)
        for label, route in settings.routes.items():
            lines += guarded_host(site.host(label), port, listener, route, settings.headers, address=address)
        for label, host in settings.open_hosts.items():
            if host.listeners and listener not in host.listeners:
                continue
            include = secret_name(host.role)
            lines += open_host(
                site.host(label),
                port,
                listener,
                host,
                settings.headers,
                include=include,
                address=address,
                limits=_limits(settings, strangers=True),
            )
    lines += stranger(site.ports.plain, tls=False, address=address)
    lines += pki_host(
        site.host("pki"),
        site.ports.plain,
        settings.pki_role,
        address=address,
        answers=site.socket(settings.pki_role).parent,
        lasting=answers_last - _MARGIN,
    )
    return lines
