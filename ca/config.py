# SPDX-License-Identifier: Apache-2.0
"""Settings of the certificate authority, the ``[ca]`` section."""

from dataclasses import dataclass
from datetime import timedelta

_HIGHEST_INSTANCE = 127
_MOST_SHARDS = 4096


@dataclass(frozen=True, kw_only=True)
class CASettings:
    """Everything has a default that is right for one machine."""

    # Names this instance in the first byte of every serial (1 to 127), so that two instances never collide.
    instance: int = 1
    # Two-letter country code put in every subject.
    country: str = "CN"
    # How long a revocation list is valid; a new one is made at each change and at half of this.
    crl_lifetime: timedelta = timedelta(hours=24)
    # How long a delta, which holds what changed since a full list, is valid.
    delta_lifetime: timedelta = timedelta(hours=1)
    # On how many revocation lists of its issuer new certificates are spread; each names its list for good. 0: on one.
    crl_shards: int = 8
    # How long the root's revocation list is valid; only a ceremony makes a new one.
    root_crl_lifetime: timedelta = timedelta(days=365)
    # How long one OCSP answer may be cached.
    ocsp_lifetime: timedelta = timedelta(hours=8)
    # An issuance that has not ended after this long is taken for dead.
    issuance_timeout: timedelta = timedelta(minutes=2)

    def __post_init__(self) -> None:
        if not 1 <= self.instance <= _HIGHEST_INSTANCE:
            raise ValueError("instance must be between 1 and 127")
        if not 0 <= self.crl_shards <= _MOST_SHARDS:
            raise ValueError("crl_shards must be between 0 and 4096")
        if not timedelta(0) < self.delta_lifetime <= self.crl_lifetime:
            raise ValueError("delta_lifetime must not be longer than crl_lifetime")
        if len(self.country) != len("CN") or not self.country.isascii() or not self.country.isupper():
            raise ValueError("country must be two capital letters")
