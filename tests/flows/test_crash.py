# SPDX-License-Identifier: Apache-2.0
"""Every process dies by SIGKILL at random moments under load; what was acknowledged stays, nothing works twice.

The moments follow from a seed, printed with every kill. TALLYGATE_KILLS says how often each role dies (scripts/soak:
1,000, in batches), TALLYGATE_SEED which moments. TALLYGATE_HEALED_WITHIN is for a machine that has other work to do,
and TALLYGATE_REPORT names a file to which a passed run adds its line.
"""

import base64
import csv
import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from app.ports import free_ports
from app.up import write_configuration
from core.calls import Peer
from core.errors import TallygateError
from tests.flows import invariants, unchanged
from tests.flows.city import City, started, until
from tests.flows.load import POINT_KEY, TIMEOUT, Acknowledged, Load, Surfer, peer
from tests.flows.machine import PROCESSES, SERVING, children, processes

KILLS = int(os.environ.get("TALLYGATE_KILLS", "3"))
SEED = int(os.environ.get("TALLYGATE_SEED", "20261120"))
GOES_ON_WITHIN = 240
"""Seconds: few citizens come as far as refreshing a token, and on a slow machine one takes a minute to get there."""
HEALED_WITHIN = float(os.environ.get("TALLYGATE_HEALED_WITHIN", "60"))
"""Seconds from the last kill of a round until every role is ready again, its longest back-off included."""


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    """A city of its own: nobody else's should die so often."""
    with started(prepare=_prepare) as running:
        yield running
        if not (running.folder / "proved").exists():
            # Shown with the failure; afterwards the folder is gone.
            for name in ("supervisor", "nginx", "log"):
                log = running.terminal if name == "supervisor" else running.folder / "logs" / f"{name}.log"
                print(f"--- {name}", log.read_text("utf-8", "replace")[-4000:], sep="\n")  # noqa: T201 - shown with -s


def _prepare(folder: Path) -> None:
    """Logs that are full after a few requests: no line may be lost when they are put aside either."""
    file = folder / "site.toml"
    write_configuration(file, free_ports(wishes=()))
    key = hashlib.sha256(POINT_KEY.encode()).hexdigest()
    more = ("[logs]", "largest_kib = 64", "kept = 1000000", "")
    point = ("[gateway.enforcement_points.mesh]", f'key = "{key}"', 'zones = ["external"]', "")
    file.write_text("\n".join((file.read_text("utf-8"), *more, *point)), "utf-8")


@pytest.mark.timeout(0)
def test_nothing_acknowledged_is_lost_and_nothing_works_twice(city: City) -> None:
    memory = Acknowledged()
    subjects = _citizens(city)
    dice = Random(SEED)  # noqa: S311 - moments that can be repeated
    started_at, longest = time.monotonic(), 0.0
    # When nginx or a worker of it died: what it was about to write of requests is lost.
    forgot: list[float] = []
    with Load(city, memory, subjects, seed=SEED) as load:
        until(lambda: _has_begun(memory), seconds=300)
        for round_ in range(KILLS):
            time.sleep(dice.uniform(0.2, 1))
            victims = [(role, False) for role in PROCESSES] + [(dice.choice(SERVING), True), ("nginx", True)]
            dice.shuffle(victims)
            for role, worker in victims:
                time.sleep(dice.uniform(0, 0.6))
                _kill(city, dice, role, worker=worker)
                forgot += [time.time()] * (role == "nginx")
            # New workers, and the old ones end what they have: nothing of it may be lost.
            os.kill(until(lambda: processes(city).get("nginx"), seconds=HEALED_WITHIN), signal.SIGHUP)
            load.check()
            since = time.monotonic()
            until(lambda: _all_ready(city), seconds=HEALED_WITHIN, every=0.2)
            longest = max(longest, time.monotonic() - since)
            print(f"round {round_ + 1}: healed after {time.monotonic() - since:.1f} s", dict(memory.did))  # noqa: T201 - shown with -s
        # Work must go on by itself, for everybody.
        before = Counter(memory.did)
        until(lambda: all(memory.did[what] > before[what] for what in before), seconds=GOES_ON_WITHIN)
    print(f"seed {SEED}, longest healing {longest:.1f} s, refusals", memory.refusals.most_common(40))  # noqa: T201 - shown with -s
    assert list((city.folder / "nginx" / "logs").glob("decisions.log.*"))
    assert not memory.faults, (len(memory.faults), memory.faults[:3])
    until(lambda: _all_ready(city), seconds=HEALED_WITHIN)
    _check(city, memory, forgot)
    (city.folder / "proved").touch()
    _report(memory, seconds=time.monotonic() - started_at, longest=longest)


@pytest.mark.timeout(0)
def test_every_line_of_a_table_has_one_true_outcome_whenever_the_authority_dies(city: City, tmp_path: Path) -> None:
    """The role's worker and its main process die in turn while a table is issued; each table ends by itself."""
    dice = Random(SEED)  # noqa: S311 - moments that can be repeated
    born = [each["told"] for each in _of(city, "directory.entry.created")]
    devices = [each["subject"] for each in born if each["attributes"].get("kind") == "device"]
    assert devices
    for round_ in range(max(2, KILLS // 5)):
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in devices]
        table = tmp_path / f"meters-{round_}.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("device", "csr"))
            rows.writerows(zip(devices, map(_encoded_request, keys), strict=True))
        before = set(_intended(city))
        # One that was sent and not answered in time waits for officers for ever, and is nobody's concern here.
        sent = until(partial(_enrol, city, str(table), "--reference", "file 7"), seconds=HEALED_WITHIN, every=1)
        identifier = sent.split()[0]
        _agree(city, f"/bulk/{identifier}")
        for worker in (True, False):
            time.sleep(dice.uniform(0, 0.4))
            _kill(city, dice, "ca", worker=worker)
            until(lambda: _all_ready(city), seconds=HEALED_WITHIN, every=0.2)
        report, issued = tmp_path / "report.csv", tmp_path / "issued.pem"
        until(partial(_ended, city, identifier, report, issued), seconds=HEALED_WITHIN, every=1)
        with report.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        assert [(each["device"], each["result"]) for each in lines] == [(each, "issued") for each in devices]
        certificates = {each.serial_number: each for each in x509.load_pem_x509_certificates(issued.read_bytes())}
        own = [certificates[int(each["serial"], 16)].public_key() for each in lines]
        assert own == [each.public_key() for each in keys]
        _check_table(city, {each["serial"] for each in lines}, before)


def _check_table(city: City, serials: set[str], before: set[str]) -> None:
    """What the lines name is good and on the record; of what else was begun meanwhile nothing is good."""
    until(lambda: not serials - _issued(city), seconds=HEALED_WITHIN, every=0.5)
    intended = _intended(city)
    role = peer(city, "ca")
    good = {
        each
        for each in intended.keys() - before
        if role.call("GET", f"/api/v1/certificates/{each}/status").json()["standing"] == "good"
    }
    role.close()
    assert good == serials
    assert max(intended.values()) == 1
    _check_keys(invariants.entries(city))


def _enrol(city: City, *arguments: str) -> str:
    done = city.tallygate("ca", "--site", str(city.configuration), "enrol", *arguments, check=False)
    print(done.stdout, done.stderr)  # noqa: T201 - shown when it fails
    return done.stdout if done.returncode == 0 else ""


def _ended(city: City, identifier: str, report: Path, certificates: Path) -> bool:
    said = _enrol(city, "--job", identifier, "--report", str(report), "--certificates", str(certificates))
    return f"{identifier} done:" in said


def _intended(city: City) -> Counter[str]:
    """Devices' serials by how often the record says that they were about to be signed."""
    told = _issuances([each["told"] for each in _of(city, "ca.certificate.intended")])
    return Counter(each["object"] for each in told if each["attributes"]["profile"] == "device-client")


def _agree(city: City, path: str) -> None:
    officer = Surfer(city, "sun.li", Acknowledged(), card=True)
    page = officer.enter(city.url("ca", path, "management"))
    assert officer.send(page, f"{path}/approve", {}).status_code == 200


def _encoded_request(key: ec.EllipticCurvePrivateKey) -> str:
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return base64.b64encode(asked.public_bytes(Encoding.DER)).decode()


def _report(memory: Acknowledged, *, seconds: float, longest: float) -> None:
    """One row of the table in docs/soak.md: seed, rounds, duration, longest healing, acknowledged acts."""
    if path := os.environ.get("TALLYGATE_REPORT"):
        did = ", ".join(f"{what.lstrip('/')} {times:,}" for what, times in sorted(memory.did.items()))
        row = f"| {SEED} | {KILLS} | {seconds / 60:.0f} min | {longest:.1f} s | {did} |\n"
        with Path(path).open("a", encoding="utf-8") as report:
            report.write(row)


def _has_begun(memory: Acknowledged) -> bool:
    return all(memory.did[what] for what in ("page", "refresh", "certificate", "seal", "verify", "/disable", "search"))


def _citizens(city: City) -> list[str]:
    """Subjects of people about whom nobody else here does anything."""
    born = [
        entry["told"]["subject"]
        for entry in invariants.entries(city)
        if entry["told"]["type"] == "directory.person.created" and entry["told"]["attributes"]["kind"] == "citizen"
    ]
    busy = {entry["told"].get("subject") for entry in _of(city, "sso.login")}
    return [subject for subject in born[10:] if subject not in busy]


def _kill(city: City, dice: Random, role: str, *, worker: bool) -> None:
    """SIGKILL a process of the role that lives now; its main process, or one of those it made."""
    pid = until(lambda: processes(city).get(role), seconds=HEALED_WITHIN)
    if worker:
        pid = dice.choice(until(lambda: children(processes(city).get(role, 0)), seconds=HEALED_WITHIN))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _all_ready(city: City) -> bool:
    for role in SERVING:
        probe = Peer(path=city.folder / "run" / role.replace(":", "-") / "sock", caller="test", secret=b"", timeout=5)
        try:
            probe.call("GET", "/readyz")
        except TallygateError:
            return False
        finally:
            probe.close()
    return city.ready()


def _check(city: City, memory: Acknowledged, forgot: list[float]) -> None:
    report = city.verify_log()
    assert report.returncode == 0, report.stdout + report.stderr
    # What was acknowledged is sequenced, and published a quarter of a second later; outcomes wait in their owners'
    # outboxes and come as soon as the log is back.
    acted_on = _accesses(city) | set(memory.decisions) | set(memory.denied)
    until(lambda: unchanged.settled(city), seconds=HEALED_WITHIN)
    waiting = 20
    while missing := _unrecorded(city, acted_on):
        waiting -= 1
        assert waiting, _told(city, missing)
        time.sleep(0.5)
    until(lambda: not set(memory.certificates) - _issued(city), seconds=30, every=0.5)
    entries = invariants.published(city)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_type.setdefault(entry["told"]["type"], []).append(entry["told"])
    _check_keys(entries)
    _check_boundary(city, memory, by_type, forgot)
    assert memory.decisions
    _check_logins(city, memory, by_type)
    _check_certificates(city, memory, by_type)
    assert len(by_type["signature.made"]) >= memory.did["seal"]
    assert len(by_type["signature.verified"]) >= memory.did["verify"]
    assert len(by_type["audit.searched"]) >= memory.did["search"]
    for verb in ("disable", "enable"):
        assert len(by_type[f"directory.person.{verb}d"]) >= memory.did[f"/{verb}"]
    # Without any repair by hand, a person logs in.
    page = Surfer(city, "chen.wei", Acknowledged()).enter(city.url("tax", "/me"))
    assert "Chen Wei" in page.text


def _check_boundary(
    city: City, memory: Acknowledged, by_type: dict[str, list[dict[str, Any]]], forgot: list[float]
) -> None:
    """Decisions are accesses, one by one and in both directions, but for lines that died with nginx."""
    known = {each["decision"]: each for each in invariants.lines(city) if each["decision"]}
    for entry in _of(city, "gateway.decision"):
        line = known.get(entry["told"]["decision"])
        if line is not None and line["to"].startswith("role_portal"):
            assert entry["status_code"] == "success", (entry["told"], line)
    nobody = [each for each in invariants.unclaimed(city) if not _forgotten(each, forgot)]
    assert not nobody, (len(nobody), nobody[:3])
    answers = Counter(each["decision"] for each in by_type["gateway.evaluation"])
    assert memory.evaluations
    assert not set(memory.evaluations) - set(answers)
    assert max(answers.values()) == 1
    # The end of a socket whose keeper died is recorded by the next one.
    until(lambda: not _open_sockets(city), seconds=HEALED_WITHIN, every=0.5)
    assert len(_of(city, "gateway.socket.opened")) >= memory.did["socket"] > 0


def _open_sockets(city: City) -> int:
    return len(_of(city, "gateway.socket.opened")) - len(_of(city, "gateway.socket.closed"))


def _forgotten(entry: dict[str, Any], forgot: list[float]) -> bool:
    """Whether nginx died while the request may have been on its way: it writes a line when the answer was given."""
    at = entry["time"] / 1000
    return any(at - 1 <= died <= at + TIMEOUT for died in forgot)


def _check_keys(entries: list[dict[str, Any]]) -> None:
    uids = Counter(entry["metadata"]["uid"] for entry in entries)
    assert not [uid for uid, times in uids.items() if times > 1], "an entry was recorded twice"


def _unrecorded(city: City, acted_on: set[str]) -> set[str]:
    """Accesses without their record."""
    recorded = Counter(entry["told"]["decision"] for entry in _of(city, "gateway.decision"))
    assert max(recorded.values()) == 1
    return acted_on - set(recorded)


def _told(city: City, missing: set[str]) -> list[str]:
    """What nginx noted about accesses without their record."""
    noted = [line for line in invariants.noted(city) if any(each in line for each in missing)]
    return [f"{len(missing)} without their record", *noted]


def _accesses(city: City) -> set[str]:
    """Decisions nginx acted on; where the record or a role was away it said 503, and nobody got in."""
    return {each["decision"] for each in invariants.lines(city) if each["decision"] and each["status"] != "503"}


def _check_logins(city: City, memory: Acknowledged, by_type: dict[str, list[dict[str, Any]]]) -> None:
    logged_in = {entry.get("session") for entry in by_type["sso.login"]}
    assert not set(memory.sessions) - logged_in
    intended = {entry["object"] for entry in by_type["sso.token.intended"]}
    assert not set(memory.families) - intended
    assert not set(memory.ended) - {entry["session"] for entry in by_type["sso.session.ended"]}
    assert not set(memory.revoked_families) - {entry["object"] for entry in by_type["sso.token.revoked"]}
    assert not [code for code, times in memory.redeemed.items() if times > 1], "a code worked twice"
    # What was revoked stays so.
    password = (city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
    for token in list(memory.revoked_families.values())[-100:]:
        answer = city.http().post(
            city.url("sso", "/token"),
            data={"grant_type": "refresh_token", "refresh_token": token},
            auth=("tax", password),
        )
        assert answer.status_code == 400, answer.text


def _check_certificates(city: City, memory: Acknowledged, by_type: dict[str, list[dict[str, Any]]]) -> None:
    intended = Counter(entry["object"] for entry in _issuances(by_type["ca.certificate.intended"]))
    assert max(intended.values()) == 1, "a serial was used twice"
    assert not set(memory.certificates) - set(intended)
    assert not {entry["object"] for entry in by_type["ca.certificate.issued"]} - set(intended)
    assert not set(memory.withdrawn) - {entry["object"] for entry in by_type["ca.certificate.revoked"]}
    exist: dict[str, dict[str, Any]] = {}
    role = peer(city, "ca")
    for subject in sorted({entry["subject"] for entry in by_type["ca.certificate.intended"] if entry.get("subject")}):
        listed = role.call("GET", f"/api/v1/subjects/{subject}/certificates").json()["certificates"]
        # What is only reserved, intended or abandoned is no certificate: its key was not touched.
        exist.update({each["serial"]: each for each in listed if each["state"] in {"signed", "delivered"}})
    assert exist
    assert not set(exist) - set(intended), "a certificate exists that was never intended"
    # The list shows the newest of a subject; a soak may have given somebody more than one page.
    for serial in memory.certificates:
        status = role.call("GET", f"/api/v1/certificates/{serial}/status").json()
        # One that was about to be revoked or suspended when somebody died may be any of these.
        assert status["standing"] in ({"revoked"} if serial in memory.withdrawn else {"good", "suspended", "revoked"})
    role.close()


def _issuances(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if "commitment" in entry["attributes"]]


def _issued(city: City) -> set[str]:
    """Serials whose outcome is on the record."""
    return {entry["told"]["object"] for entry in _of(city, "ca.certificate.issued")}


def _of(city: City, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in invariants.entries(city) if entry["told"]["type"] == kind]
