# SPDX-License-Identifier: Apache-2.0
"""Write what HAProxy reads where it is the site's proxy, and say how it is started.

It works in the folder, and with the secrets, of the one process that vouches for addresses and certificates: nginx, as
everybody else knows it.
"""

import shutil

from core.config import ConfigurationError
from core.site import SiteSettings

from ..config import GatewaySettings
from ..proxy import SECRETS, Whole, whole
from .nginx import HOLDER, put


def prepare_haproxy(site: SiteSettings, settings: GatewaySettings) -> None:
    """Write everything, the certificate under the name that HAProxy looks for; done at every start.

    Raises:
        ConfigurationError: a pair secret is missing or readable by others; a path or name cannot be written down.
    """
    folder = site.folder(HOLDER)
    secrets = {callee: site.pair_secret(holder=HOLDER, caller=HOLDER, callee=callee) for callee in SECRETS}
    try:
        files = whole(Whole(site=site, settings=settings, secrets=secrets))
    except ValueError as error:
        raise ConfigurationError(where="gateway.edge", why=str(error)) from error
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        put(path, text.encode())
    certificate = folder / "tls.pem"
    if certificate.exists():
        put(folder / "tls.crt", certificate.read_bytes())


def haproxy_command(site: SiteSettings, *, program: str | None = None) -> list[str]:
    """Run HAProxy in the foreground, as one process of the user that starts it."""
    found = program or shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin") or "haproxy"
    return [found, "-db", "-f", str(site.folder(HOLDER) / "haproxy.cfg")]
