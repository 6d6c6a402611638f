# SPDX-License-Identifier: Apache-2.0
"""Certificates taken apart once: the same few come in every document of one signer."""

from functools import lru_cache

from asn1crypto import x509


@lru_cache(maxsize=128)
def certificate(der: bytes) -> x509.Certificate:
    """The same object for the same bytes; whoever is given it changes nothing in it.

    Raises:
        ValueError: no certificate.
    """
    found: x509.Certificate = x509.Certificate.load(der)
    return found
