# SPDX-License-Identifier: Apache-2.0
"""Evidence by setting: names and values of what is in force."""

from collections.abc import Callable
from datetime import timedelta

from audit.config import AuditSettings
from audit.web import Finding
from directory.config import DirectorySettings
from gateway import GatewaySettings
from policies.approval import able
from policies.config import PolicySettings
from sso.config import SSOSettings

_IDLE = timedelta(minutes=30)
_DAYS = 180
"""Six months: the least a record is kept (Cybersecurity Law, article 23)."""
_ADMINISTRATORS = 2


class InForce:
    """Shows settings; nothing is tried and nothing is read of the record."""

    def __init__(
        self,
        *,
        gateway: GatewaySettings,
        sso: SSOSettings,
        audit: AuditSettings,
        directory: DirectorySettings,
        policies: PolicySettings,
        zones: Callable[[], frozenset[str]],
        workers: int,
    ) -> None:
        self._gateway = gateway
        self._sso = sso
        self._audit = audit
        self._directory = directory
        self._policies = policies
        self._zones = zones
        self._workers = workers

    def areas(self) -> Finding:
        """Every host lies in one of several zones."""
        zones = sorted(self._zones())
        placed = {label: route.zone for label, route in self._gateway.routes.items()}
        return Finding(
            met=len(zones) > 1 and set(placed.values()) <= set(zones),
            shown=(" ".join(zones), *(f"{label} → {zone}" for label, zone in placed.items())),
        )

    def sessions(self) -> Finding:
        """Sessions end by idleness and by age."""
        idle, whole = self._gateway.session_idle, self._gateway.session_lifetime
        return Finding(
            met=idle <= _IDLE and idle < whole,
            shown=(f"gateway.session_idle = {idle}", f"gateway.session_lifetime = {whole}"),
        )

    def content(self) -> Finding:
        """Each host says which methods, sizes and content types it takes."""
        routes = self._gateway.routes
        open_ended = [label for label, each in routes.items() if not (each.methods or each.largest or each.media)]
        return Finding(
            met=not open_ended and bool(routes),
            shown=(
                f"gateway.body_limit = {self._gateway.body_limit} MiB",
                f"{len(routes) - len(open_ended)} of {len(routes)} routes name methods, sizes or content types",
                *([f"without: {' '.join(open_ended)}"] if open_ended else []),
            ),
        )

    def passwords(self) -> Finding:
        """Names are unique by the directory's own schema; passwords have a length and a memory."""
        directory = self._directory
        return Finding(
            met=directory.password_length >= 8 and directory.password_history >= 1,  # noqa: PLR2004 - 8 is the least
            shown=(
                f"directory.password_length = {directory.password_length}",
                f"directory.password_history = {directory.password_history}",
                f"directory.hash_memory_kib = {directory.hash_memory_kib}",
            ),
        )

    def failures(self) -> Finding:
        """Wrong passwords make wait, idle sessions end."""
        free, idle = self._sso.attempts_free, self._sso.session_idle
        return Finding(
            met=free <= 5 and idle <= _IDLE,  # noqa: PLR2004 - what assessors ask for
            shown=(f"sso.attempts_free = {free}", f"sso.session_idle = {idle}"),
        )

    def released_by_two(self) -> Finding:
        """Policies are put in force by two administrators, who are named."""
        named = self._policies.administrators
        keys = able(named)
        return Finding(
            met=keys >= _ADMINISTRATORS,
            shown=(f"policies.administrators: {len(named)} with {keys} different keys", *sorted(named)[:5]),
        )

    def granular(self) -> Finding:
        """Hosts, and paths within them, are objects of their own; people, programs and devices are subjects."""
        routes = self._gateway.routes
        paths = sum(
            len(each.public) + len(each.api) + len(each.device) + len(each.programs) for each in routes.values()
        )
        return Finding(
            met=bool(routes) and paths > 0,
            shown=(f"{len(routes)} hosts, {paths} patterns of paths within them", " ".join(sorted(routes))),
        )

    def copies(self) -> Finding:
        """The gateway runs more than once, and the record has a copy elsewhere."""
        mirrors = sorted(self._audit.mirrors)
        return Finding(
            met=self._workers > 1 and bool(mirrors) and bool(self._directory.second_port),
            shown=(
                f"gateway: {self._workers} processes",
                f"audit.mirrors: {' '.join(mirrors) or '-'}",
                f"directory.second_port = {self._directory.second_port}",
            ),
        )

    def exported(self) -> Finding:
        """What was decided is told to whoever analyses the network."""
        targets = sorted(self._audit.exports)
        return Finding(met=bool(targets), shown=(f"audit.exports: {' '.join(targets) or '-'}",))

    def retention(self) -> Finding:
        """Records are kept for six months or more."""
        kept = self._audit.retention
        days = {name: value for name, value in vars(kept).items() if isinstance(value, int)}
        return Finding(
            met=bool(days) and min(days.values()) >= _DAYS,
            shown=tuple(f"audit.retention.{name} = {value}" for name, value in days.items()),
        )

    def resources(self) -> Finding:
        """Every host is decided on, or stands among the open ones with its reason."""
        routes, hosts = self._gateway.routes, self._gateway.open_hosts
        return Finding(
            met=bool(routes) and all(each.why for each in hosts.values()),
            shown=(f"decided: {' '.join(routes)}", f"open, each with its reason: {' '.join(hosts)}"),
        )
