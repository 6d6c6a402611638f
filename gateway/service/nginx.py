# SPDX-License-Identifier: Apache-2.0
"""Write what nginx reads, and say how it is started.

Its folder is its own: configuration, secrets (0600), pages, logs, temporary files. The certificate files ``tls.pem``
and ``tls.key`` are put there by the authority.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

from core.site import SiteSettings

from ..config import GatewaySettings
from ..proxy import SECRETS, configuration, pages, secret_include, secret_name

HOLDER = "nginx"
_FOLDERS = ("logs", "temp", "secrets", ".tallygate/pages", "static")


def prepare(site: SiteSettings, settings: GatewaySettings, *, static: Path, answers_last: timedelta) -> None:
    """Write everything but the certificate; done at every start.

    ``static`` are the files of the web base that pages of a refused person need too; ``answers_last`` is how long an
    OCSP answer is good.

    Raises:
        ConfigurationError: a pair secret is missing or readable by others.
    """
    folder = site.folder(HOLDER)
    for name in _FOLDERS:
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for callee in SECRETS:
        secret = site.pair_secret(holder=HOLDER, caller=HOLDER, callee=callee)
        put(folder / secret_name(callee), secret_include(secret).encode())
    for name, content in pages(title=site.title, title_zh=site.title_zh).items():
        put(folder / ".tallygate" / "pages" / name, content)
    for path in static.iterdir():
        if path.is_file():
            put(folder / "static" / path.name, path.read_bytes())
    put(folder / "nginx.conf", configuration(site, settings, answers_last=answers_last).encode())


def command(site: SiteSettings, *, program: str | None = None) -> list[str]:
    """Run nginx in the foreground.

    Started by root with no user of its own, its workers would drop to "nobody" and could not reach the roles' sockets,
    so that case names root on the command line; started by anybody else nginx keeps that user without being told.
    """
    folder = site.folder(HOLDER)
    found = program or shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin") or "nginx"
    return [found, "-p", f"{folder}/", "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def as_root(line: list[str]) -> list[str]:
    """The same command for a supervisor that runs nginx as root."""
    return [*line, "-g", "user root root;"]


def put(path: Path, content: bytes) -> None:
    """Write a file in the place of the old one, for its owner alone."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
