# SPDX-License-Identifier: Apache-2.0
"""The doctor says in words what is wrong, never crashes over it, and changes nothing."""

import base64
import grp
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import make_server

from app import birth, doctor
from app.cli import main
from app.context import Context
from app.ports import free_ports
from app.up import write_configuration
from app.users import Users
from audit.errors import RecordUnavailable
from audit.store import IndexChecked
from audit.watch import STATUS, Duty, Stopped, Watch
from core.clock import Clock, SystemClock
from core.errors import Unavailable
from core.site import PORTALS, ROLES
from core.web import Guard, create
from policies.service import PolicyEngine
from tests.fakes.clock import ManualClock


@pytest.fixture(scope="module")
def born() -> Iterator[Context]:
    """A born site whose roles do not run."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-"))
    folder.chmod(0o755)
    write_configuration(folder / "site.toml", free_ports(wishes=()))
    context = Context.read(folder / "site.toml")
    birth.init(context, lambda _: None)
    yield context
    shutil.rmtree(folder)


def _found(context: Context, clock: Clock | None = None) -> dict[str, doctor.Finding]:
    at = clock or SystemClock()
    seen = Context(path=context.path, site=context.site, document=context.document, clock=at)
    return {finding.subject: finding for finding in doctor.examine(seen)}


def test_a_born_site_that_is_off_lacks_only_its_processes(born: Context) -> None:
    found = _found(born)
    wrong = {subject for subject, finding in found.items() if not finding.good}
    roles = (*ROLES, *(f"portal:{name}" for name in PORTALS), "nginx")
    assert wrong == {"directory", "duties of the record", *(f"role {role}" for role in roles)}
    assert "nobody can log in" in found["directory"].says
    assert found["birth"].says == "finished"
    assert "agrees with the signed tree" in found["log"].says


def _both_tried(found: dict[str, doctor.Finding]) -> bool:
    return "duty works" in found and found["duty works"].says.startswith("done at") and not found["duty fails"].good


def test_a_duty_that_fails_is_told_with_its_reason(born: Context) -> None:
    def refuse(_stopped: Stopped) -> None:
        raise RecordUnavailable

    path = born.site.socket("audit", "watch")
    duties = [
        Duty(name="works", every=timedelta(hours=1), act=lambda _: None),
        Duty(name="fails", every=timedelta(hours=1), act=refuse),
    ]
    watch = Watch(duties, folder=born.site.folder("audit"), clock=SystemClock())
    thread = threading.Thread(target=watch.run, args=(path,))
    thread.start()
    try:
        limit = time.monotonic() + 10
        while not _both_tried(found := _found(born)):
            assert time.monotonic() < limit
    finally:
        watch.stop()
        thread.join()
        path.unlink()
        (born.site.folder("audit") / STATUS).unlink()
    assert found["duty works"].good
    assert not found["duty fails"].good
    assert RecordUnavailable.code in found["duty fails"].says
    assert "duties of the record" not in found


def test_sockets_that_nobody_else_will_reach_are_told(born: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    # Folders of a site whose roles share a user have no group; taken for those of separate users they are useless.
    monkeypatch.setattr("app.users.Users.detect", lambda: Users(separate=True))
    monkeypatch.setattr("app.users.GROUP", grp.getgrgid(os.getgid()).gr_name)
    folders = [folder for folder in born.site.run.iterdir() if folder.is_dir()]
    before = {folder: folder.stat().st_mode & 0o7777 for folder in folders}
    for folder in folders:
        folder.chmod(0o750)
    try:
        found = _found(born)["separation"]
    finally:
        for folder, mode in before.items():
            folder.chmod(mode)
    assert not found.good
    assert "roles cannot reach each other" in found.says


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize(
    ("told", "good", "says"),
    [
        ({"outbox_waiting": 0, "outbox_oldest_seconds": 0, "outbox_aside": 0}, True, "nothing waits for the log"),
        ({"outbox_waiting": 4, "outbox_oldest_seconds": 7, "outbox_aside": 0}, True, "4 wait for the log, the oldest"),
        ({"outbox_waiting": 4, "outbox_oldest_seconds": 77, "outbox_aside": 0}, False, "the oldest for 77 s"),
        ({"outbox_waiting": 1, "outbox_aside": 0}, False, "1 wait for the log"),
        ({"outbox_waiting": 0, "outbox_oldest_seconds": 0, "outbox_aside": 2}, False, "2 were refused and set aside"),
    ],
)
def test_records_that_wait_or_were_set_aside_are_told(
    born: Context, told: dict[str, int], *, ready: bool, good: bool, says: str
) -> None:
    with _answering(born, ready=ready, told=told):
        found = _found(born)
    assert found["role sso"].good is ready
    assert found["records of sso"].good is good
    assert says in found["records of sso"].says


@pytest.mark.parametrize(
    ("told", "subject", "good", "says"),
    [
        ({"published_waiting": 0}, "certificates in the directory", True, "up to date"),
        ({"issuers": 1}, "issuing authorities", False, "knows 1 of 6"),
        ({"issuers": 6}, "issuing authorities", True, "knows all 6"),
        ({"published_waiting": 3, "published_oldest_seconds": 5}, "certificates in the directory", True, "3 entries"),
        ({"published_waiting": 3, "published_oldest_seconds": 99}, "certificates in the directory", False, "for 99 s"),
        ({"published_waiting": 0, "published_refused": 2}, "certificates in the directory", False, "2 were not taken"),
        ({"published_waiting": 0, "published_too_long": 1}, "certificates in the directory", True, "1 authorities"),
        ({"units": 2, "units_not_stamping": 0, "unit_least_days": 90}, "time-stamping units", True, "2 of 2 can stamp"),
        (
            {"units": 2, "units_not_stamping": 1, "unit_least_days": 90},
            "time-stamping units",
            False,
            "1 of 2 can stamp",
        ),
        ({"units": 1, "units_not_stamping": 0, "unit_least_days": 9}, "time-stamping units", False, "ends in 9 days"),
        (
            {"units": 1, "units_not_stamping": 0, "unit_clock_unsound": 1},
            "time-stamping units",
            False,
            "the clock is in doubt",
        ),
    ],
)
def test_what_the_authority_tells_of_its_copies_and_units(
    born: Context, told: dict[str, int], subject: str, *, good: bool, says: str
) -> None:
    with _answering(born, ready=True, told=told):
        found = _found(born)
    assert found[subject].good is good
    assert says in found[subject].says


@pytest.mark.parametrize(
    ("told", "good", "says"),
    [
        ({"reader_seccomp": 1, "reader_namespaces": 1, "reader_landlock": 2}, True, "landlock (version 2)"),
        ({"reader_seccomp": 1, "reader_namespaces": 0, "reader_landlock": 0}, True, "no namespaces, no landlock"),
        ({"reader_seccomp": 0, "reader_namespaces": 1, "reader_landlock": 2}, False, "no seccomp"),
        ({"reader_seccomp": 1, "reader_sm2_tongsuo": 1}, True, "locked in by seccomp; SM2 is verified by Tongsuo"),
        ({"reader_seccomp": 1, "reader_sm2_tongsuo": 0}, True, "SM2 is verified by our own arithmetic"),
    ],
)
def test_the_layers_that_lock_in_untrusted_documents_are_told(
    born: Context, told: dict[str, int], *, good: bool, says: str
) -> None:
    with _answering(born, ready=True, told=told):
        found = _found(born)["reading processes"]
    assert found.good is good
    assert says in found.says


@pytest.mark.parametrize(
    ("told", "good", "says"),
    [
        ({"witness_quorum": 1, "witness_behind": 3}, True, "enough of them cosign; 3 entries are not witnessed"),
        ({"witness_quorum": 0, "witness_behind": 90}, False, "too few of them cosign"),
    ],
)
def test_a_missing_quorum_of_witnesses_is_told(born: Context, told: dict[str, int], *, good: bool, says: str) -> None:
    with _answering(born, ready=True, told=told):
        found = _found(born)["witnesses"]
    assert found.good is good
    assert says in found.says


@pytest.mark.parametrize(
    ("kept", "good", "says"),
    [
        (IndexChecked(place=30, size=120), True, "25 % of this round are compared with the log; 0 parts were mended"),
        (IndexChecked(place=120, size=120, found=2), True, "100 % of this round are compared with the log; 2 parts"),
        (IndexChecked(), True, "0 % of this round"),
        (
            IndexChecked(place=9, size=90, found=3, mended=False),
            False,
            "2 parts were mended so far; a part is not what",
        ),
    ],
)
def test_a_search_index_that_is_not_what_the_log_says_is_told(
    born: Context, kept: IndexChecked, *, good: bool, says: str
) -> None:
    with _answering(born, ready=True, told=kept.standing()):
        found = _found(born)["search index"]
    assert found.good is good
    assert says in found.says
    assert ("tallygate audit reindex" in found.says) is not good


@contextmanager
def _answering(context: Context, *, ready: bool, told: dict[str, int]) -> Iterator[None]:
    """The probes of role sso on its socket."""

    def check() -> None:
        if not ready:
            raise Unavailable

    app = create(
        "sso",
        site=context.site,
        guard=Guard(clock=context.clock),
        session_key=b"k" * 32,
        blueprints=[],
        ready=check,
        standing=lambda: told,
    )
    path = context.site.socket("sso")
    server = make_server(f"unix://{path}", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        path.unlink()


def test_the_end_of_the_roots_list_is_told_before_it_comes(born: Context) -> None:
    first = _found(born)["root's revocation list"]
    assert first.good
    clock = ManualClock(SystemClock().now() + timedelta(days=int(first.says.split()[0]) - 5))
    near = _found(born, clock)["root's revocation list"]
    assert not near.good
    assert "hold a ceremony" in near.says
    clock.advance(timedelta(days=10))
    assert _found(born, clock)["root's revocation list"].says.startswith("has ended")


def test_separation_is_told_as_it_is(born: Context) -> None:
    says = _found(born)["separation"].says
    assert ("own system user" in says) is Users.detect().separate
    assert ("share one system user" in says) is not Users.detect().separate


def test_certificates_near_their_end_are_told_before_they_have_expired(born: Context) -> None:
    first = _found(born)["certificate tls.pem"]
    days = int(first.says.split()[0])
    clock = ManualClock(SystemClock().now() + timedelta(days=days - 5))
    near = _found(born, clock)["certificate tls.pem"]
    assert not near.good
    assert near.says.startswith(("4 days left", "5 days left"))
    clock.advance(timedelta(days=10))
    over = _found(born, clock)["certificate tls.pem"]
    assert not over.good
    assert "has expired: run “tallygate init --renew-processes”" in over.says


def test_a_clock_behind_the_record_is_told(born: Context) -> None:
    clock = ManualClock(SystemClock().now() - timedelta(hours=1))
    found = _found(born, clock)["clock"]
    assert not found.good
    assert "is behind the last entry of the log" in found.says


def test_a_changed_byte_in_the_record_is_found(born: Context) -> None:
    bundles = born.site.folder("audit") / "log" / "tile" / "entries"
    # Narrower bundles of earlier checkpoints may lie beside the one that counts.
    bundle = max((path for path in bundles.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bundle.read_bytes()
    bundle.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    try:
        found = _found(born)["log"]
    finally:
        bundle.write_bytes(content)
    assert not found.good
    assert "entry 0" in found.says


def test_policies_that_roles_would_refuse_at_their_next_start_are_told_before(born: Context) -> None:
    """An operator takes a security administrator who left off the list, and restarts weeks later."""
    assert _found(born)["policies"].good
    key = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    later = born.path.with_name("later.toml")
    later.write_text(f'{born.path.read_text()}\n[policies.administrators]\none = "{key}"\n')
    try:
        found = _found(Context.read(later))["policies"]
    finally:
        later.unlink()
    assert not found.good
    assert "nobody signed this one" in found.says


def test_hosts_where_a_proxy_cannot_prove_itself_are_told(born: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PolicyEngine, "spoken_for", lambda _self, listener: frozenset({"branch"} if listener == "internal" else ())
    )
    found = _found(born)
    assert "proxies at listener external" not in found
    says = found["proxies at listener internal"].says
    assert "branch" in says
    assert "tax" in says
    assert "devices" not in says


def test_a_missing_file_is_a_finding_and_no_crash(born: Context) -> None:
    certificate = born.site.folder("nginx") / "tls.pem"
    aside = certificate.rename(certificate.with_suffix(".aside"))
    try:
        found = _found(born)
    finally:
        aside.rename(certificate)
    assert not found["certificates"].good
    assert "could not be checked" in found["certificates"].says
    # What comes after it is looked at all the same.
    assert found["log"].good


def test_an_unborn_site_is_told_what_to_do(tmp_path: Path) -> None:
    write_configuration(tmp_path / "site.toml", free_ports(wishes=()))
    found = _found(Context.read(tmp_path / "site.toml"))
    assert not found["birth"].good
    assert "tallygate init" in found["birth"].says


def test_a_folder_too_deep_for_sockets_is_told(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    write_configuration(deep / "site.toml", free_ports(wishes=()))
    found = _found(Context.read(deep / "site.toml"))["socket paths"]
    assert not found.good
    assert "of 107 bytes" in found.says


def test_looking_changes_nothing(born: Context) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        paths = [path for path in born.site.state.rglob("*") if path.is_file() and not path.is_symlink()]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}

    before = everything()
    _found(born)
    assert everything() == before


def test_the_command_ends_with_one_if_anything_is_wrong(born: Context) -> None:
    said = CliRunner().invoke(main, ["doctor", "--site", str(born.path)])
    assert said.exit_code == 1
    assert "ok    birth: finished" in said.output
    assert "WRONG directory:" in said.output
    assert "Traceback" not in said.output
