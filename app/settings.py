# SPDX-License-Identifier: Apache-2.0
"""Every section of a site's file and who reads it, so that a mistake is told before anything is started."""

from typing import Any

from audit.config import AuditSettings
from ca import CASettings
from core.config import ConfigurationError
from core.log import LogSettings
from core.site import SiteSettings
from directory import DirectorySettings
from gateway import GatewaySettings
from gateway.config import GRADES
from policies.config import PolicySettings
from signatures.config import SignatureSettings
from sso.config import SSOSettings

from .context import Context, DatabaseSettings

SECTIONS: dict[str, type[Any]] = {
    "site": SiteSettings,
    "databases": DatabaseSettings,
    "logs": LogSettings,
    "audit": AuditSettings,
    "directory": DirectorySettings,
    "policies": PolicySettings,
    "ca": CASettings,
    "sso": SSOSettings,
    "signatures": SignatureSettings,
    "gateway": GatewaySettings,
}


def check(context: Context) -> None:
    """Read every section, and refuse those that nobody reads.

    Raises:
        ConfigurationError: names the first mistake.
    """
    for name, shape in SECTIONS.items():
        context.settings(name, shape)
    context.document.finish()
    _kept_long_enough(context)


def _kept_long_enough(context: Context) -> None:
    """Records of access are kept as long as the gravest grade of a registered host demands."""
    kept = context.settings("audit", AuditSettings).retention.access
    for label, route in context.settings("gateway", GatewaySettings).routes.items():
        if route.assessment is not None and kept < GRADES[route.assessment.grade].kept:
            grade = route.assessment.grade
            why = f"host {label} of grade {grade} demands {GRADES[grade].kept} days"
            raise ConfigurationError(where="audit.retention.access", why=why)
