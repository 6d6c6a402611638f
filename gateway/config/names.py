# SPDX-License-Identifier: Apache-2.0
"""Words that settings and the rest of the gateway share, and how names in settings are written."""

import re

LABEL = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
ROLE = re.compile(r"[a-z]+(:[a-z]+)?\Z")
PATTERN = re.compile(r"/(?:[A-Za-z0-9._~-]+/?)*\*?\Z")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What the boundary lets through at all."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""
LARGEST_BODY = 1024
"""Mebibytes; a larger setting is a mistake."""
SESSION_COOKIE = "__Host-tallygate"
"""Cookie of a session: of one host over TLS, for all paths (RFC 6265bis section 4.1.3.2)."""
COOKIES = (SESSION_COOKIE, "__Host-gateway")
"""Every cookie the gateway sets at the hosts it guards; the second holds logins that were begun (``core.web``)."""
ASK = ("ask-1", "ask-2")
"""The sockets at which nginx asks for decisions: one for each worker, who holds it as long as it lives."""
LIVE = "live"
"""Name of the gateway's socket that keeps WebSockets."""
WELL_KNOWN = "/.well-known/oauth-protected-resource"
"""Where hosts that take tokens say which (RFC 9728); what follows it is a path of the host."""
EGRESS = "egress"
"""Name of the way out: its label, its listener in the zones, and its class in the policies."""
LISTENERS = ("external", "internal", "management")
"""The TLS listeners; each is the zone of what arrives by it."""
