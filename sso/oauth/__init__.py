# SPDX-License-Identifier: Apache-2.0
"""The protocol, one folder per standard; pure functions: no I/O, no clock, no web framework.

Every endpoint is a visible tuple of small checks in their order (``CHECKS``). Authlib supplies what it does well:
metadata validation (RFC 8414, OpenID Connect Discovery), the S256 transformation (RFC 7636), query encoding and the
half hash of ID tokens. Its server classes are not used: they answer through hooks that hide the order of checks,
compare PKCE with ordinary equality and offer ``plain``, and know no one-time values, families or records.
"""
