# SPDX-License-Identifier: Apache-2.0
"""The ``[directory]`` section."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

_SUFFIX = re.compile(r"dc=[a-z0-9-]+(,dc=[a-z0-9-]+)*\Z")
_SHORTEST_PASSWORD = 8
_LONGEST_KEPT = 9999
_LONGEST_CONTRACT = 366
_HIGHEST_PORT = 65_535
_SHORTEST_PROOFING = 30
_NO_LEVEL = 4
_HIGHEST_RATE = 1000
TELLABLE = frozenset({"name", "displayName", "nameZh", "mail", "userType", "organization", "entitlements"})
"""What a portal can be told of a person."""


@dataclass(frozen=True, kw_only=True)
class PortalAccounts:
    """A portal that is told who has an account there, by SCIM (RFC 7644)."""

    # Address of its service, to which /Users is added; must begin with https://.
    url: str
    # Whoever has an entitlement of this portal has an account there; the name of the section if empty.
    portal: str = ""
    # What it is told of each person beside user name, external identifier and whether the account is active: some of
    # name, displayName, nameZh, mail, userType, organization and entitlements. Nothing else ever leaves.
    attributes: tuple[str, ...] = ("displayName",)
    # By which identifier it knows people: "own", one that no other portal can compare, or the directory's "subject".
    identifier: str = "own"
    # Whether roles with an entitlement of the portal become groups there.
    groups: bool = False
    # A bearer token in a file that nobody but the role can read; or a client certificate with its key.
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    # Root certificates that its own must come from; those of the machine if left out.
    authorities: Path | None = None
    # Whether its address may lie in a network that is not public.
    private: bool = False
    # Requests per second at most.
    rate: int = 20
    # How long one answer may take.
    timeout: timedelta = timedelta(seconds=10)
    # How often everybody is compared.
    compare_every: timedelta = timedelta(hours=6)

    def __post_init__(self) -> None:
        if not self.url.startswith("https://") or self.url.endswith("/"):
            raise ValueError("url must begin with https:// and not end with a slash")
        if not set(self.attributes) <= TELLABLE:
            raise ValueError(f"attributes must be some of {', '.join(sorted(TELLABLE))}")
        if self.identifier not in ("own", "subject"):
            raise ValueError("identifier must be own or subject")
        if bool(self.token_file) is bool(self.certificate) or bool(self.certificate) is not bool(self.key):
            raise ValueError("a portal is shown either token_file, or certificate and key")
        if not 1 <= self.rate <= _HIGHEST_RATE or self.timeout <= timedelta(0) or self.compare_every <= timedelta(0):
            raise ValueError("rate, timeout and compare_every must be positive")


@dataclass(frozen=True, kw_only=True)
class DirectorySettings:
    """How the directory is found, and what its server is told when it is set up."""

    # Root of the tree; only domain components.
    suffix: str = "dc=city,dc=example"
    # Address of the LDAP server when it is not the site's own slapd on this machine; must begin with ldaps://.
    url: str = ""
    # CA certificate that must have issued the LDAP server's certificate; only with ``url``.
    ca_file: Path | None = None
    # How long one answer of the LDAP server may take.
    timeout: timedelta = timedelta(seconds=5)
    # The server program.
    slapd: Path = Path("/usr/sbin/slapd")
    # Folder of the server's modules.
    modules: Path = Path("/usr/lib/ldap")
    # Folder of the server's standard schemas.
    schemas: Path = Path("/etc/ldap/schema")
    # What the server may speak on the wire, in the notation of the library it was built with; Debian's is GnuTLS.
    tls_suites: str = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
    # Port at which clients may begin in clear and go on with StartTLS; 0 for none. Nobody reads or binds there before
    # TLS, but a client that sends its password first has shown it: LDAPS is better.
    starttls_port: int = 0
    # IPv4 addresses of this machine at which software elsewhere reaches the directory over TLS, besides 127.0.0.1. Only
    # those of networks from which portals and operating systems may come: what they may read is decided afterwards.
    listen: tuple[str, ...] = ()
    # Port at which a second provider listens over TLS; 0 for none. Both hold everything and send each other what is
    # changed; one is written to, and when it dies the other one is.
    second_port: int = 0
    # Most the database may grow to; the file is sparse.
    database_bytes: int = 4 << 30
    # Days for which the server keeps its own notes of what was changed; longer than the writer may ever stand still.
    changes_kept_days: int = 90
    # Whether a change of the directory without a record is undone at once; else somebody decides at the desk.
    undo_at_once: bool = False
    # Changes undone within an hour, after which it stops and alarms: whoever goes on is not to be fought for ever.
    undo_most: int = 50
    # Entries one search may return at most.
    size_limit: int = 500
    # Password policy: the shortest one taken, and how many old ones may not come back.
    password_length: int = 12
    password_history: int = 5
    # The file with the password of the mail server, if this role cannot read the one of ``[ca.notices]``.
    mail_password: Path | None = None
    # Days after which a contractor's account ends at the latest, until somebody renews it.
    contractor_days: int = 180
    # Days for which an identity proofing of each level counts.
    proofing_days_1: int = 3650
    proofing_days_2: int = 1825
    proofing_days_3: int = 1825
    # Days before its end on which somebody is told and put on the list of those to be proofed anew.
    proofing_due_days: int = 60
    # From this level on every proofing needs a second officer; 4 for none but those of one's own family name.
    proofing_two_officers_from: int = 4
    # Cost of a password's argon2id hash; OWASP's first choice. The sample city sets 4096 and 1 to fill up quickly.
    hash_memory_kib: int = 19_456
    hash_passes: int = 2
    # Portals that are told who has an account there, by name.
    portal_accounts: dict[str, PortalAccounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _SUFFIX.match(self.suffix):
            raise ValueError("suffix must consist of domain components: dc=city,dc=example")
        if self.url and not self.url.startswith("ldaps://"):
            raise ValueError("url must begin with ldaps://")
        if self.url and self.ca_file is None:
            raise ValueError("url needs ca_file")
        self._check_listeners()
        if not self.tls_suites or not self.tls_suites.isprintable():
            raise ValueError("tls_suites must name what may be spoken")
        if self.password_length < _SHORTEST_PASSWORD:
            raise ValueError("password_length must be at least 8")
        if not 1 <= self.changes_kept_days <= _LONGEST_KEPT or self.undo_most < 1:
            raise ValueError("changes_kept_days must be from 1 to 9999, undo_most at least 1")
        if not all(_SHORTEST_PROOFING <= days <= _LONGEST_KEPT for days in self.proofing_days.values()):
            raise ValueError("proofing_days_1 to proofing_days_3 must be from 30 to 9999")
        if not 0 < self.proofing_due_days < min(self.proofing_days.values()):
            raise ValueError("proofing_due_days must be shorter than any proofing counts")
        if not 1 <= self.contractor_days <= _LONGEST_CONTRACT:
            raise ValueError("contractor_days must be from 1 to 366")
        if not 1 <= self.proofing_two_officers_from <= _NO_LEVEL:
            raise ValueError("proofing_two_officers_from must be from 1 to 4")
        if self.timeout <= timedelta(0):
            raise ValueError("timeout must be positive")

    def _check_listeners(self) -> None:
        for each in map(ipaddress.IPv4Address, self.listen):
            if each.is_unspecified or each.is_multicast or str(each) == "127.0.0.1":
                raise ValueError("listen must name addresses one by one, without 127.0.0.1")
        if not 0 <= self.starttls_port <= _HIGHEST_PORT:
            raise ValueError("starttls_port must be a port, or 0")
        if not 0 <= self.second_port <= _HIGHEST_PORT or (self.second_port and self.url):
            raise ValueError("second_port must be a port, or 0; none with url")

    @property
    def proofing_days(self) -> dict[int, int]:
        """Days by level."""
        return {1: self.proofing_days_1, 2: self.proofing_days_2, 3: self.proofing_days_3}
