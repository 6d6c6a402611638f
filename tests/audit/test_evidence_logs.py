# SPDX-License-Identifier: Apache-2.0
"""One evidence file over a log and its successor: each proved by its own keys, and that the one continues the other."""

import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.evidence import Made
from audit.evidence.verifier import Anchors, Verdict, verify
from audit.merkle import LogKey
from tests.fakes.evidence import altered
from tests.fakes.evidence_logs import SuccessorWorld

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuccessorWorld]:
    with closing(SuccessorWorld(tmp_path_factory.mktemp("logs"))) as world:
        yield world


@pytest.fixture(scope="module")
def made(world: SuccessorWorld) -> Made:
    return world.make_over(1, 2, world.base + 1)


def check(world: SuccessorWorld, path: Path, *, keys: int | None = None) -> Verdict:
    given = [str(key) for key in world.keys[:keys]]
    return verify(path, Anchors(given, world.policy, [world.authority.root.certificate]))


def told(verdict: Verdict) -> list[str]:
    return [f"{state}: {en}" for state, en, _ in verdict.findings]


def test_a_file_over_two_logs_is_proved_whole(world: SuccessorWorld, made: Made) -> None:
    verdict = check(world, made.path)
    said = told(verdict)
    assert verdict.code == 0, said
    assert "proved: city.example/log-2 goes on where city.example/log ended" in said
    # Each log's entries under its own name: its keys, witnesses and stamp, then what is told of it.
    signed = [number for number, each in enumerate(said) if "signed by the keys you gave" in each]
    assert ["city.example/log+" in said[signed[0]], "city.example/log-2+" in said[signed[1]]] == [True, True]
    assert [each for each in said[signed[0] : signed[1]] if "is in the log" in each] == [
        f"proved: entry {index} is in the log" for index in (1, 2, world.base - 1)
    ]
    assert [each for each in said[signed[1] :] if "is in the log" in each] == [
        f"proved: entry {index} is in the log" for index in (0, 1)
    ]
    for part in (said[signed[0] : signed[1]], said[signed[1] :]):
        assert any("every entry existed at" in each for each in part)
        assert sum("cosigned by w" in each for each in part) == 2
        assert "proved: entry 1: name = Li Xiaoming" in part


def test_the_making_is_on_record_for_each_log_and_whoever_was_opened_finds_both(
    world: SuccessorWorld, made: Made
) -> None:
    world.log.integrate()
    reader = world.site.reader()
    events = [entry.event for entry in reader.entries(0, reader.size()) if entry.event.object == made.sha256]
    making = [event.attributes for event in events if event.type == "audit.evidence.made"]
    assert [(each["log"], each["indices"], each["opened"]) for each in making] == [
        ("log", f"1-2,{world.base - 1}", 2), ("log-2", "0-1", 1)
    ]  # fmt: skip
    opened = [(event.subject, event.attributes["log"]) for event in events if event.type == "audit.evidence.opened"]
    assert opened == [("li", "log"), ("li", "log-2")]
    assert (made.entries, made.opened) == (5, 3)


def test_the_report_tells_both_logs_and_how_they_hang_together(made: Made) -> None:
    with zipfile.ZipFile(made.path) as whole:
        listed = json.loads(whole.read("META-INF/manifest.json"))["logs"]
        report = subprocess.run(
            ["pdftotext", "-", "-"], input=whole.read("report.pdf"), capture_output=True, check=True
        ).stdout.decode()
    assert [each["log"] for each in listed] == ["city.example/log", "city.example/log-2"]
    report = " ".join(report.split())
    assert "The log city.example/log ended and goes on as city.example/log-2" in report
    assert "Entries of city.example/log-2" in report
    assert "city.example/log-2: Every entry existed at" in report


def test_a_file_of_one_log_holds_nothing_of_the_other(world: SuccessorWorld) -> None:
    for places, log in (((1, 3), "city.example/log"), ((world.base + 1,), "city.example/log-2")):
        made = world.make_over(*places)
        verdict = check(world, made.path)
        assert verdict.code == 0
        assert made.entries == len(places)
        assert not any("goes on where" in each for each in told(verdict))
        with zipfile.ZipFile(made.path) as whole:
            assert [each["log"] for each in json.loads(whole.read("META-INF/manifest.json"))["logs"]] == [log]


def test_the_keys_of_the_first_log_alone_prove_nothing_of_the_second(world: SuccessorWorld, made: Made) -> None:
    verdict = check(world, made.path, keys=2)
    assert verdict.code == 1
    assert "false: the log's signatures on the checkpoint: the log's key has not signed it" in told(verdict)
    assert not any("goes on where" in each for each in told(verdict))
    claimed = verify(made.path, Anchors())
    assert claimed.code == 2
    assert sum("log's keys are only claimed" in each for each in told(claimed)) == 2


def dropped(name: str) -> Callable[[Files, int], None]:
    def change(files: Files, base: int) -> None:
        for kind in ("entries", "proofs", "openings"):
            for ending in ("json", "tlog-proof"):
                files.pop(name.format(kind=kind, last=base - 1, ending=ending), None)

    return change


def moved(old: str, new: str) -> Callable[[Files, int], None]:
    def change(files: Files, _base: int) -> None:
        for name in [name for name in files if name.startswith(old)]:
            files[name.replace(old, new, 1)] = files.pop(name)

    return change


def swapped(files: Files, base: int) -> None:
    for old, new in (("logs/1/", "logs/9/"), ("logs/2/", "logs/1/"), ("logs/9/", "logs/2/")):
        moved(old, new)(files, base)


def swapped_files(*names: str) -> Callable[[Files, int], None]:
    def change(files: Files, base: int) -> None:
        for name in names:
            one, other = (f"logs/{number}/{name.format(last=base - 1)}" for number in (1, 2))
            files[one], files[other] = files[other], files[one]

    return change


def claimed_by_another(files: Files, _base: int) -> None:
    """The second log under the keys of nobody."""
    key = LogKey("city.example/log-2", seed=b"\x55" * 32)
    files["logs/2/keys"] = f"{key.vkey}\n".encode()
    old = files["logs/2/checkpoint"].decode()
    text = old.partition("\n\n")[0] + "\n"
    signed = f"{text}\n\u2014 {key.origin} "
    for name in [name for name in files if name.startswith("logs/2/")]:
        files[name] = files[name].replace(old.encode(), (signed + "AAAA\n").encode())


# What is done to the file, and what is said about it.
CHANGES: dict[str, tuple[Callable[[Files, int], None], str]] = {
    "the end of the first is left out": (dropped("logs/1/{kind}/{last}.{ending}"), "that say so are not here"),
    "the beginning of the second is left out": (dropped("logs/2/{kind}/0.{ending}"), "that say so are not here"),
    "the two in the other order": (swapped, "goes on where"),
    "the second alone under its number": (moved("logs/1/", "logs/3/"), "it holds no log"),
    "a log left out between": (moved("logs/2/", "logs/3/"), "it holds no log"),
    "an entry of the one among the other's": (swapped_files("entries/1.json"), "do not lead"),
    "an entry with its proof among the other's": (
        swapped_files("entries/1.json", "proofs/1.tlog-proof"), "leads to another checkpoint"),
    "an opening among the other's": (swapped_files("openings/1.json"), "not the one the entry commits to"),
    "the stamp of the one for the other": (
        swapped_files("time/checkpoint", "time/token.tst", "time/consistency"), "has not signed"),
    "the token of the one for the other": (swapped_files("time/token.tst"), "stamps something else"),
    "the checkpoints exchanged": (swapped_files("checkpoint"), "leads to another checkpoint"),
    "the second signed by somebody else": (claimed_by_another, "has not signed"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_was_changed_between_the_logs_is_found(
    world: SuccessorWorld, made: Made, name: str, tmp_path: Path
) -> None:
    change, said = CHANGES[name]
    verdict = check(world, altered(made.path, tmp_path / "e.asice", lambda files: change(files, world.base)))
    assert verdict.code == 1
    assert any(each.startswith("false") and said in each for each in told(verdict)), told(verdict)


def test_two_logs_of_which_neither_names_the_other_are_no_record(world: SuccessorWorld, tmp_path: Path) -> None:
    """Each is proved for itself, and both are the site's; that the one continues the other is not."""
    first, second = world.make_over(1), world.make_over(world.base + 1)

    def joined(files: Files) -> None:
        with zipfile.ZipFile(second.path) as whole:
            for name in whole.namelist():
                if name.startswith("logs/1/"):
                    files[name.replace("logs/1/", "logs/2/", 1)] = whole.read(name)

    verdict = check(world, altered(first.path, tmp_path / "e.asice", joined))
    assert verdict.code == 1
    assert [each for each in told(verdict) if each.startswith("false")] == [
        "false: city.example/log-2 goes on where city.example/log ended: the entries that say so are not here"
    ]
