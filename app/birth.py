# SPDX-License-Identifier: Apache-2.0
"""Birth of a site, `tallygate init`, in the order of the design, and its rebirth after years without power.

1. folders and pair secrets   2. the log, its key and entry 0, then the settings   3. the key ceremony, recorded in
process under the writer's lock   4. process certificates, identity key and policies   5. slapd
6. what each role needs

The mark of a birth under way is written first, that of a finished one last. A birth that died midway has granted
nothing to anybody: `init` removes what it left and begins again. Whatever no birth put there is never removed.
"""

import errno
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from audit import Recorder
from core.config import ConfigurationError
from core.errors import N_, Conflict
from core.site import SiteSettings

from .context import Context, DatabaseSettings
from .errors import NotBorn
from .files import private_text, replace, write_secret
from .holding import MARK, is_born, let_others_pass, log_alone
from .pairs import PAIRS, make
from .users import Users
from .wiring import directory, founding, gateway, policies, recording, registering, signatures

_UNDER_WAY = ".being-born"
# The last is what a birth leaves that died before its mark counted.
_KEPT = frozenset({"site.toml", ".running", _UNDER_WAY, f".{_UNDER_WAY}.new"})


class AlreadyBorn(Conflict):
    """The state folder holds a finished site; a second birth would orphan its record."""

    code = "already_born"
    message = N_("This site exists already. To renew its process certificates, use --renew-processes.")


class NotEmpty(Conflict):
    """The state folder holds what no birth put there: perhaps a site that lost its mark."""

    code = "not_empty"
    message = N_("%(path)s is here already, and no unfinished birth left it. Give the new site a folder of its own.")


class DatabaseNotEmpty(Conflict):
    """A server keeps tables that this birth did not make; init clears the site's folder, and no server."""

    code = "database_not_empty"
    message = N_("The database of the role %(role)s holds tables already. Empty it, then run “tallygate init” again.")


def init(context: Context, say: Callable[[str], None]) -> None:
    """Bring a site to life; ``say`` gets one line per step.

    Raises:
        AlreadyBorn: there is one here.
        NotEmpty: the folder holds something else; it is left as it is.
        DatabaseNotEmpty: so does a database of a server.
    """
    site = context.site
    let_others_pass()
    if is_born(site):
        raise AlreadyBorn
    _clear(site, say)
    say("1. Folders and secrets")
    _folders(site)
    make(site)
    for _role, path, url in _handed_out(context):
        _take(path, url)
    _expect_empty(context)
    say("2. The log and its first entry")
    recording.found(context)
    with _recording(context) as recorder:
        recording.take_up(context, recorder)
        say("3. The key ceremony")
        founding.found(context, recorder)
        say("4. Identity key, policies and process certificates")
        _identity_key(site)
        policies.found(context, recorder)
        for holder, files in founding.certify_servers(context, recorder).items():
            founding.install(context, holder, files)
        say("5. The directory")
        directory.found(context, recorder)
        say("6. The roles")
        # It publishes the key by which sign-on registers it.
        signatures.found(context, recorder)
        registering.found(context, recorder)
        gateway.found(context, recorder)
    Users.detect().own(site)
    replace(site.state / MARK, b"")
    (site.state / _UNDER_WAY).unlink()
    say("The site is born")


def renew_processes(context: Context, say: Callable[[str], None]) -> None:
    """Steps 2 and 3 again for what runs out: process and OCSP certificates, CRLs. The roles must be stopped.

    Root, if it is root that renews, writes and reads nothing in a role's folder: each part is done by its owner.

    Raises:
        NotBorn: there is no site.
        LeadsElsewhere: a role left a link in its folder; nothing was renewed.
        StartFailed: the log does not start; nothing was renewed.
    """
    if not is_born(context.site):
        raise NotBorn
    users = Users.detect()
    users.own(context.site)
    _complete_pairs(context.site, users)
    with log_alone(context):
        say("Renewing OCSP delegates and revocation lists")
        users.acting("ca", partial(_renew, context))
        founding.renew_root_list(context)
        say("Renewing process certificates")
        made = json.loads(users.acting("ca", partial(certified, context)))
        for holder, files in made.items():
            users.acting(holder, partial(installed, context, holder, files))


def _complete_pairs(site: SiteSettings, users: Users) -> None:
    """Give a site of an earlier release the secrets of pairs it does not have yet; each partner writes its own copy."""
    for caller, callee in PAIRS:
        paths = {name: site.secret_path(holder=name, caller=caller, callee=callee) for name in (caller, callee)}
        if not any(path.exists() for path in paths.values()):
            complete_pair(site, users, caller, callee)


def complete_pair(site: SiteSettings, users: Users, caller: str, callee: str) -> None:
    """Make the secret of a pair that has none."""
    secret = secrets.token_bytes(32)
    for name in dict.fromkeys((caller, callee)):
        users.acting(name, partial(_written, site.secret_path(holder=name, caller=caller, callee=callee), secret))


def _written(path: Path, secret: bytes) -> bytes:
    write_secret(path, secret)
    return b""


def _renew(context: Context) -> bytes:
    founding.renew(context)
    return b""


def certified(context: Context) -> bytes:
    """New certificates of the servers, as JSON; by the authority's user, while the log runs."""
    made = founding.certify_servers(context, context.recorder("ca"))
    # Keys and certificates are PEM, which is ASCII (RFC 7468).
    return json.dumps(
        {holder: {n: c.decode("ascii") for n, c in files.items()} for holder, files in made.items()}
    ).encode()


def installed(context: Context, holder: str, files: dict[str, str]) -> bytes:
    """Give a server what was made for it; by its user."""
    founding.install(context, holder, {name: content.encode("ascii") for name, content in files.items()})
    return b""


def refresh(context: Context) -> None:
    """Bring a finished site in line with what changed around it: the numbers of its users, its databases' URLs.

    An image made anew may number its users otherwise. The folders then follow, and roles that run must be started anew;
    where nothing changed, running roles notice nothing.

    Raises:
        ConfigurationError: a URL cannot be handed out.
        LeadsElsewhere: a role left a link in its folder, which root must not follow.
    """
    users = Users.detect()
    if not users.own_already(context.site):
        users.own(context.site)
    for role, path, url in _handed_out(context):
        users.acting(role, partial(_take, path, url))


def _recording(context: Context) -> AbstractContextManager[Recorder]:
    return recording.local_recorder(context)


def _clear(site: SiteSettings, say: Callable[[str], None]) -> None:
    """Make room: what an interrupted birth left goes; anything else stays, and nothing is born beside it."""
    site.state.mkdir(parents=True, exist_ok=True)
    under_way = site.state / _UNDER_WAY
    leftovers = [path for path in sorted(site.state.iterdir()) if path.name not in _KEPT and not _is_empty(path)]
    if leftovers and not under_way.exists():
        raise NotEmpty(path=str(leftovers[0]))
    if leftovers:
        say("An earlier birth was interrupted; beginning again")
    for leftover in leftovers:
        _remove(leftover)
    replace(under_way, b"")


def _remove(path: Path) -> None:
    """Remove what an interrupted birth left; a volume of a container stays, empty."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    for inner in path.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            shutil.rmtree(inner)
        else:
            inner.unlink()
    try:
        path.rmdir()
    except OSError as error:
        # Whether a folder is a volume cannot be seen beforehand: those of one disk share its device number.
        if error.errno != errno.EBUSY:
            raise


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _folders(site: SiteSettings) -> None:
    for folder in (site.state, site.public):
        folder.mkdir(parents=True, exist_ok=True)
    # Until all is in place no role's user can put anything between: users of roles may run another site already.
    Users.detect().keep(site)


def _handed_out(context: Context) -> Iterator[tuple[str, Path, str]]:
    """Each role whose database's URL is handed out, where its copy belongs, and the URL."""
    databases = context.settings("databases", DatabaseSettings)
    if databases.handed_out_from is None:
        return
    for role, path in databases.url_files.items():
        folder = context.site.folder(role)
        if path.parent != folder:
            raise ConfigurationError(where=f"databases.url_files.{role}", why=f"must lie in {folder} to be handed out")
        yield role, path, private_text(databases.handed_out_from / path.name)


def _take(path: Path, url: str) -> bytes:
    if not path.exists() or path.read_text("utf-8") != url:
        # A crash in between leaves no file; the role does not start, and the next init puts it there.
        path.unlink(missing_ok=True)
        write_secret(path, url.encode())
    return b""


def _expect_empty(context: Context) -> None:
    # Certificates of an earlier authority, in the tables of this one, would be answered for as if it had issued them.
    for role in context.settings("databases", DatabaseSettings).url_files:
        database = context.database(role)
        found = database.tables()
        database.close()
        if found:
            raise DatabaseNotEmpty(role=role)


def _identity_key(site: SiteSettings) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(
        site.folder("gateway") / "identity.key",
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    replace(
        site.public / "gateway-identity.pem",
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
