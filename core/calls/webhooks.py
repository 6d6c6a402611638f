# SPDX-License-Identifier: Apache-2.0
"""Bodies over HTTPS to a receiver outside, as Standard Webhooks sign them (identifier, time, body).

Receivers look at the time against replays and at the identifier against doubles. Redirects are not followed: whoever
could redirect us could have everything. The name is resolved once and the address that was judged is the one that is
connected to.
"""

import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Sign = Callable[[bytes], str]

_TIMEOUT = 15.0
_LONGEST_ANSWER = 16 * 1024
_LONGEST_WAIT = 3600
_GOOD = range(200, 300)
_HTTPS = 443
_HANDED_OUT = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052 section 2.1: the rest is an IPv4 address."""


class HookFailed(Exception):
    """A receiver did not take what it was sent; ``why`` says what happened."""

    def __init__(self, why: str, *, wait: int = 0) -> None:
        super().__init__(why)
        self.why = why
        # For how many seconds it asked to be left alone.
        self.wait = wait


class HookUntrusted(HookFailed):
    """Its certificate is not one that is trusted."""


class HookForbidden(HookFailed):
    """It lies at an address that is not public."""


class Webhook:
    """One receiver."""

    def __init__(self, url: str, *, sign: Sign, context: ssl.SSLContext, private: bool = False) -> None:
        """``private`` allows addresses that are not public."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _HTTPS
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._sign = sign
        self._context = context
        self._private = private

    def post(self, body: bytes, *, identifier: str, at: datetime) -> None:
        """Hand over one body; it has arrived when this returns.

        Raises:
            HookFailed: no answer, or one that is not of success; ``wait`` says for how long the receiver asked.
            HookUntrusted: its certificate is not one the context trusts.
            HookForbidden: its address is not public.
        """
        stamp = str(int(at.timestamp()))
        signature = self._sign(b".".join((identifier.encode(), stamp.encode(), body)))
        headers = {
            "Host": self._host if self._port == _HTTPS else f"{self._host}:{self._port}",
            "Content-Type": "application/json",
            "User-Agent": "tallygate",
            "webhook-id": identifier,
            "webhook-timestamp": stamp,
            "webhook-signature": signature,
        }
        pool = urllib3.HTTPSConnectionPool(
            self._address(),
            self._port,
            ssl_context=self._context,
            server_hostname=self._host,
            assert_hostname=self._host,
            timeout=urllib3.Timeout(_TIMEOUT),
            retries=False,
        )
        try:
            response = pool.request(
                "POST", self._target, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                response.read(_LONGEST_ANSWER, decode_content=False)
            finally:
                response.close()
        except urllib3.exceptions.SSLError as error:
            raise HookUntrusted(_reason(error)) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise HookFailed(type(error).__name__) from error
        finally:
            pool.close()
        if response.status not in _GOOD:
            wait = retry_after(response.headers.get("Retry-After", ""), at)
            raise HookFailed(f"it answers {response.status}", wait=wait)

    def _address(self) -> str:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise HookFailed("its name is unknown") from error
        address = str(found[0][4][0])
        if not self._private and not is_public(address):
            raise HookForbidden("it is not public")
        return address


def retry_after(text: str, at: datetime) -> int:
    """For how many seconds a receiver asked to be left alone (RFC 9110 section 10.2.3), at most an hour."""
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
        return max(0, min(int((until - at).total_seconds()), _LONGEST_WAIT))
    except (ValueError, TypeError, OverflowError):
        return 0


def is_public(address: str) -> bool:
    """Whether an address is one of the whole internet's, not of a network of ours."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    inside = _inside(found)
    if inside is not None:
        return is_public(str(inside))
    # What is handed out to the internet (RFC 4291 section 2.4); the library takes site-local and other old ranges for
    # global ones.
    return found in _HANDED_OUT and found.is_global


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translator or a tunnel on the way would lead to."""
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def by_secret(secret: bytes) -> Sign:
    """Sign by HMAC-SHA256 with a secret that the receiver has too."""
    return lambda message: "v1," + base64.b64encode(hmac.digest(secret, message, hashlib.sha256)).decode()


def by_key(secret: bytes) -> Sign:
    """Sign by the Ed25519 key of this seed."""
    key = Ed25519PrivateKey.from_private_bytes(secret)
    return lambda message: "v1a," + base64.b64encode(key.sign(message)).decode()


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    return "the TLS handshake failed"
