# SPDX-License-Identifier: Apache-2.0
"""Settings of the certificate authority, the ``[ca]`` section."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

_HIGHEST_INSTANCE = 127
_MOST_SHARDS = 4096
_MOST_HELPERS = 64
_HIGHEST_PORT = 65535
_MOST_WORKERS = 32
_UNIT_ALGORITHMS = frozenset({"P-256", "P-384", "RSA-3072", "RSA-4096", "ML-DSA-65"})
# As `ca.models` names them.
_ISSUERS = frozenset({"people", "devices", "organisations", "infrastructure"})
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,62}")
_MOST_DAYS = 365
_OWN = frozenset({"127.0.0.1", "[::1]", "localhost"})
_MAILBOX = re.compile(r"[A-Za-z0-9._+-]{1,64}@[a-z0-9.-]{1,189}", re.ASCII)
_OPERATIONS = frozenset({"cacerts", "csrattrs", "simpleenroll", "simplereenroll", "serverkeygen", "fullcmc"})


@dataclass(frozen=True, kw_only=True)
class AcmeSettings:
    """Certificates for servers by ACME. Nothing can be validated over the network until the site names networks."""

    # Networks in which servers are validated by http-01 and tls-alpn-01, and whose addresses certificates may carry.
    networks: tuple[str, ...] = ()
    # Domains, beside the site's own, whose names certificates may carry.
    domains: tuple[str, ...] = ()
    # Name server for validation, as ADDRESS:PORT; what the machine itself uses if empty.
    resolver: str = ""
    # Ports at which http-01 and tls-alpn-01 look. The standards say 80 and 443.
    http_port: int = 80
    tls_port: int = 443
    # Names by which CAA records can mean this authority; without one such records are not looked up.
    caa_identities: tuple[str, ...] = ()
    # One look at a challenge ends after this; it is looked at so often, with a pause between.
    validation_timeout: timedelta = timedelta(seconds=10)
    validation_attempts: int = 3
    validation_pause: timedelta = timedelta(seconds=5)
    # How many challenges are looked at at once, per worker process.
    validation_workers: int = 4
    # How long an officer's grant can be used, an order be finished, and what was shown be relied on.
    grant_lifetime: timedelta = timedelta(days=7)
    order_lifetime: timedelta = timedelta(days=7)
    authorization_lifetime: timedelta = timedelta(days=30)
    # How long a nonce is taken.
    nonce_lifetime: timedelta = timedelta(hours=1)
    # New accounts of one address in three hours, orders of one account in an hour, failures of one account about one
    # identifier in an hour, and authorizations that may wait at once.
    accounts_limit: int = 10
    orders_limit: int = 300
    failures_limit: int = 5
    pending_limit: int = 300
    # A page for operators that clients are shown, and one whose text they must agree to; none if empty.
    website: str = ""
    terms: str = ""

    def __post_init__(self) -> None:
        for each in self.networks:
            ipaddress.ip_network(each)
        if self.resolver:
            host, _, port = self.resolver.rpartition(":")
            ipaddress.ip_address(host.strip("[]"))
            if not port.isdecimal() or not 1 <= int(port) <= _HIGHEST_PORT:
                raise ValueError("resolver must be ADDRESS:PORT")
        if not (1 <= self.http_port <= _HIGHEST_PORT and 1 <= self.tls_port <= _HIGHEST_PORT):
            raise ValueError("a port is out of range")
        if any(each != each.lower() or each.startswith(".") for each in (*self.domains, *self.caa_identities)):
            raise ValueError("domains are lower-case names without a dot before them")
        limits = (self.accounts_limit, self.orders_limit, self.failures_limit, self.pending_limit)
        if min(*limits, self.validation_attempts, self.validation_workers) < 1:
            raise ValueError("a limit is out of range")


def _labels() -> dict[str, str]:
    return {"device-client": "device-client", "device-server": "device-server"}


@dataclass(frozen=True, kw_only=True)
class EstSettings:
    """Certificates for devices by EST."""

    # Which profile each label of an address stands for. What is not named here cannot be had by EST.
    labels: dict[str, str] = field(default_factory=_labels)
    # The label of an address without one.
    default_label: str = "device-client"
    # Labels at which an enrolment does not suffice: each request waits at the desk until its profile's officers have
    # approved it, and the device asks again after this pause.
    queued: tuple[str, ...] = ()
    queue_pause: timedelta = timedelta(minutes=5)
    # How long an officer's enrolment of a device can be used, and for how many certificates at most.
    enrolment_lifetime: timedelta = timedelta(days=7)
    most_uses: int = 10
    # Whether a device may renew with the key it has. A blocked key is refused in any case.
    reuse_keys: bool = False
    # Whether the authority makes keys for devices that cannot make good ones (serverkeygen).
    server_keys: bool = True
    # Wrong secrets of one address in ten minutes, after which it waits; certificates of one device in an hour.
    failures_limit: int = 10
    certificates_limit: int = 30

    def __post_init__(self) -> None:
        if not all(_LABEL.fullmatch(each) for each in self.labels):
            raise ValueError("a label is lower-case letters, digits and hyphens")
        if self.labels.keys() & _OPERATIONS or self.default_label not in self.labels:
            raise ValueError("a label is called like an operation, or the default is none")
        if min(self.most_uses, self.failures_limit, self.certificates_limit) < 1:
            raise ValueError("a limit is out of range")
        if not set(self.queued) <= self.labels.keys() or self.queue_pause < timedelta(seconds=1):
            raise ValueError("queued names no label, or the pause is shorter than a second")
        if self.enrolment_lifetime <= timedelta(0):
            raise ValueError("enrolment_lifetime must be positive")


@dataclass(frozen=True, kw_only=True)
class TimestampSettings:
    """The time-stamping authority. Without a unit, made here or by a ceremony, nothing is stamped."""

    # Units that the role makes and renews, each with its algorithm: P-256, P-384, RSA-3072, RSA-4096 or ML-DSA-65.
    units: dict[str, str] = field(default_factory=dict)
    # How wrong the time in a stamp may be; stated in every one. A clock that may be wronger stamps nothing.
    accuracy: timedelta = timedelta(seconds=1)
    # Whether the kernel must say that its clock is kept right (NTP, PTP). Without it only jumps are noticed.
    synchronised: bool = True

    def __post_init__(self) -> None:
        for label, algorithm in self.units.items():
            if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", label) or algorithm not in _UNIT_ALGORITHMS:
                raise ValueError("a unit has a short lower-case label and an algorithm that signs stamps")
        if not timedelta(milliseconds=1) <= self.accuracy <= timedelta(minutes=1):
            raise ValueError("accuracy must be between a millisecond and a minute")


class MailSecurity(StrEnum):
    """How the way to the mail server is protected."""

    # TLS is asked for after the greeting (RFC 3207); a server without it gets nothing.
    STARTTLS = "starttls"
    # TLS from the first byte (RFC 8314).
    TLS = "tls"
    # Not at all; on this machine only.
    NONE = "none"


def _silent() -> dict[str, tuple[int, ...]]:
    return {"ocsp": ()}


@dataclass(frozen=True, kw_only=True)
class NoticeSettings:
    """Who is told that a certificate ends. Nobody is, until the site names a mail server or a webhook."""

    # So many days before the end.
    steps: tuple[int, ...] = (30, 14, 7, 1)
    # Other days for some profiles; an empty list for those that renew themselves.
    profiles: dict[str, tuple[int, ...]] = field(default_factory=_silent)
    # The mail server, as HOST:PORT.
    server: str = ""
    # How the way there is protected: starttls, tls, or none for a server on this machine.
    security: MailSecurity = MailSecurity.STARTTLS
    # File of root certificates by which the server is known; those of the machine if left out.
    roots: Path | None = None
    # Login, and a file readable by this role alone that holds the password on its first line.
    user: str = ""
    password: Path | None = None
    # Address that letters come from.
    sender: str = ""
    # Domains of addresses that may be written to, exactly; a person whose address lies elsewhere gets no letter.
    domains: tuple[str, ...] = ()
    # Addresses of operators, who get a copy of every letter.
    copies: tuple[str, ...] = ()
    # An https address that is told too, signed as Standard Webhooks say; a file of 32 bytes is the secret.
    webhook: str = ""
    webhook_secret: Path | None = None
    webhook_roots: Path | None = None
    # Whether the webhook may lie at an address that is not public.
    webhook_private: bool = False
    # How long one attempt may take.
    timeout: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if not all(1 <= step <= _MOST_DAYS for steps in (self.steps, *self.profiles.values()) for step in steps):
            raise ValueError("a step is between 1 and 365 days")
        if self.server:
            host, _, port = self.server.rpartition(":")
            if not host or not port.isdecimal() or not 1 <= int(port) <= _HIGHEST_PORT:
                raise ValueError("server must be HOST:PORT")
            if self.security is MailSecurity.NONE and host not in _OWN:
                raise ValueError("letters go unprotected to a server on this machine only")
            if not _MAILBOX.fullmatch(self.sender):
                raise ValueError("sender must be an address")
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together")
        if self.user and self.security is MailSecurity.NONE:
            raise ValueError("a password is not sent unprotected")
        if not all(_MAILBOX.fullmatch(each) for each in self.copies):
            raise ValueError("copies are addresses")
        if any(each != each.lower() or "@" in each or not each for each in self.domains):
            raise ValueError("domains are lower-case names")
        if self.webhook and (not self.webhook.startswith("https://") or self.webhook_secret is None):
            raise ValueError("a webhook begins with https:// and needs a secret")


@dataclass(frozen=True, kw_only=True)
class IncidentSettings:
    """Acts on many certificates at once."""

    # How many certificates are revoked at once, per worker process.
    workers: int = 4
    # How many certificates one incident may concern; a preview answers when its list is whole.
    most: int = 250_000
    # How long a preview can be proposed, and how long a proposal waits for another officer.
    preview_lifetime: timedelta = timedelta(hours=24)
    proposal_lifetime: timedelta = timedelta(days=3)
    # So many records may wait for the log before an incident waits too; what is left of the outbox is for single acts.
    outbox_share: int = 5_000

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise ValueError("workers must be between 1 and 32")
        if min(self.most, self.outbox_share) < 1:
            raise ValueError("a limit is out of range")
        if min(self.preview_lifetime, self.proposal_lifetime) <= timedelta(0):
            raise ValueError("a lifetime must be positive")


@dataclass(frozen=True, kw_only=True)
class CASettings:
    """Everything has a default that is right for one machine."""

    # Names this instance in the first byte of every serial (1 to 127), so that two instances never collide.
    instance: int = 1
    # Two-letter country code put in every subject.
    country: str = "CN"
    # Issuing authorities that get a twin of ML-DSA-65 keys when the site is born, below a root of such keys; later only
    # ceremonies make them.
    parallel: tuple[str, ...] = ()
    # Files that list keys nobody shall have a certificate for, one hash a line (`ca.x509.blocklist`); read at start.
    blocklists: tuple[Path, ...] = ()
    # How long a revocation list is valid; a new one is made at each change and at half of this.
    crl_lifetime: timedelta = timedelta(hours=24)
    # How long a delta, which holds what changed since a full list, is valid.
    delta_lifetime: timedelta = timedelta(hours=1)
    # Whether the list that holds everything of an issuer, for whoever does not read shards, has a delta too. It holds
    # the changes of a day of all shards, so it is for sites where that is few.
    whole_deltas: bool = False
    # On how many revocation lists of its issuer new certificates are spread; each names its list for good.
    crl_shards: int = 8
    # How long the root's revocation list is valid; only a ceremony makes a new one.
    root_crl_lifetime: timedelta = timedelta(days=365)
    # How long one OCSP answer may be cached.
    ocsp_lifetime: timedelta = timedelta(hours=8)
    # A request for a certificate that officers have not decided by then expires.
    request_lifetime: timedelta = timedelta(days=14)
    # How many processes lint for the role, beside its own; while they are busy, whoever issues lints.
    lint_helpers: int = 1
    # An issuance that has not ended after this long is taken for dead.
    issuance_timeout: timedelta = timedelta(minutes=2)
    # Certificates for servers by ACME; a table of its own.
    acme: AcmeSettings = field(default_factory=AcmeSettings)
    # Time-stamps; a table of its own.
    timestamps: TimestampSettings = field(default_factory=TimestampSettings)
    # After so long every certificate is checked again; new ones are checked within minutes.
    check_every: timedelta = timedelta(days=7)
    # Notices of certificates that end; a table of its own.
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    # Certificates for devices by EST; a table of its own.
    est: EstSettings = field(default_factory=EstSettings)
    # Acts on many certificates at once; a table of its own.
    incidents: IncidentSettings = field(default_factory=IncidentSettings)

    def __post_init__(self) -> None:
        if not 1 <= self.instance <= _HIGHEST_INSTANCE:
            raise ValueError("instance must be between 1 and 127")
        if not set(self.parallel) <= _ISSUERS or len(set(self.parallel)) < len(self.parallel):
            raise ValueError("parallel names issuing authorities, each once")
        if not 0 <= self.lint_helpers <= _MOST_HELPERS:
            raise ValueError("lint_helpers must be between 0 and 64")
        if not 1 <= self.crl_shards <= _MOST_SHARDS:
            raise ValueError("crl_shards must be between 1 and 4096")
        if not timedelta(0) < self.delta_lifetime <= self.crl_lifetime:
            raise ValueError("delta_lifetime must not be longer than crl_lifetime")
        if self.check_every < timedelta(hours=1):
            raise ValueError("check_every must be an hour or more")
        if len(self.country) != len("CN") or not self.country.isascii() or not self.country.isupper():
            raise ValueError("country must be two capital letters")
