# SPDX-License-Identifier: Apache-2.0
"""Who may call whom: every pair shares one secret made at the birth of the site; what is not here cannot call.

`app` is the operator on the machine itself; `nginx` vouches for client certificates and original addresses.
"""

import secrets

from core.site import PORTALS, SiteSettings

from .files import write_secret

PAIRS: tuple[tuple[str, str], ...] = (
    # Everybody records; the console of the audit role records its officers' reads like anybody else.
    *((caller, "audit") for caller in ("audit", "directory", "ca", "sso", "signatures", "gateway", "app")),
    *(("nginx", callee) for callee in ("gateway", "sso", "ca", "signatures", "audit")),
    *((caller, "ca") for caller in ("sso", "gateway", "signatures", "app")),
    *(("app", callee) for callee in ("directory", "sso", "signatures", "gateway")),
    # The authority has its certificates and lists put into the tree by the one who may write there.
    ("ca", "directory"),
    # People change their own password and address; sign-on has proved who they are.
    ("sso", "directory"),
    ("portal:documents", "signatures"),
    # Reports of evidence files are sealed for the officer who asks for them.
    ("audit", "signatures"),
)


def make(site: SiteSettings) -> None:
    """Make every pair's secret, one copy for each partner; pairs that have one keep it."""
    for caller, callee in PAIRS:
        mine = site.secret_path(holder=caller, caller=caller, callee=callee)
        theirs = site.secret_path(holder=callee, caller=caller, callee=callee)
        if mine.exists() and theirs.exists():
            continue
        mine.unlink(missing_ok=True)
        theirs.unlink(missing_ok=True)
        secret = secrets.token_bytes(32)
        write_secret(mine, secret)
        if theirs != mine:
            write_secret(theirs, secret)


def holders() -> tuple[str, ...]:
    """Every folder owner: roles, portals and the servers that are not ours."""
    named = {name for pair in PAIRS for name in pair}
    return tuple(sorted(named | {"slapd"} | {f"portal:{name}" for name in PORTALS}))
