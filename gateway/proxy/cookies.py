# SPDX-License-Identifier: Apache-2.0
"""The gateway's own cookies stay at the gateway: no host is sent them, and no host can set them.

Whoever holds a session's cookie is that person, so a host that received it could keep it. The maps read a Cookie
header as ``gateway.request`` does: pairs end at a semicolon or comma, names are trimmed and compared without case.
"""

from ..config import COOKIES
from .blocks import block

FORWARDED = "$tallygate_cookies"
"""The variable that holds what a host may see of the Cookie header."""

_PASSES = 4
"""Cookies of ours that are taken out one by one. Browsers send each name once, and a session's cookie given twice is
refused; with more than these a host is sent no cookies at all."""

# The names hold nothing that a regular expression or nginx reads otherwise.
_NAME = f"(?:{'|'.join(COOKIES)})"
_PAIR = rf"[ \t]*{_NAME}[ \t]*(?:=[^;,]*)?"


def maps() -> list[str]:
    """The maps behind `FORWARDED`; they stand beside the servers."""
    lines: list[str] = []
    source = "$http_cookie"
    for number in range(1, _PASSES + 1):
        stripped = f"$tallygate_cookies_{number}"
        lines += block(
            f"map {source} {stripped}",
            [
                f"default {source};",
                _rule(rf"^{_PAIR}(?:[;,][ \t]*(?<tallygate_rest>.*))?$", "$tallygate_rest"),
                _rule(
                    rf"^(?<tallygate_before>.*?)[;,]{_PAIR}(?<tallygate_after>(?:[;,].*)?)$",
                    "$tallygate_before$tallygate_after",
                ),
            ],
        )
        source = stripped
    # What the rule cannot vouch for, be it for an error of the regular expression, is not sent.
    clean = rf"^(?!(?:.*[;,])?[ \t]*{_NAME}[ \t]*(?:[=;,]|$)).*$"
    return [*lines, *block(f"map {source} {FORWARDED}", ['default "";', _rule(clean, source)])]


def answers(host: str) -> list[str]:
    """What becomes of the cookies a host sets: its own host's only, and none of ours.

    Browsers take a ``__Host-`` cookie only with ``Secure`` (RFC 6265bis section 5.7), so ours lose it. nginx cannot
    drop a single ``Set-Cookie``.
    """
    return [
        rf'proxy_cookie_flags "~^[ \t]*{_NAME}[ \t]*$" nosecure;',
        f"proxy_cookie_domain ~. {host};",
        # Would reach the cookies of the sign-on and of every neighbour.
        "proxy_hide_header Clear-Site-Data;",
    ]


def _rule(pattern: str, value: str) -> str:
    return f'"~*{pattern}" "{value}";'
