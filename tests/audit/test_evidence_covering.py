# SPDX-License-Identifier: Apache-2.0
"""Before a file is made, witnesses and authority are asked for what does not cover its entries yet; in bounded time."""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import audit.client.recorder
from audit.evidence import Desk, Kept, Made, Site, Token, Wish
from audit.evidence.verifier import Anchors, verify
from audit.merkle import CosignerKey
from audit.models import Wait
from audit.service import Witnesses
from audit.stamps import Authority, Stamper
from audit.witness import Policy, WitnessSilent
from audit.witness.client import WitnessClient
from audit.witness.submission import Submission
from core.calls import Reply
from tests.fakes.evidence import OFFICER
from tests.fakes.log_site import event
from tests.fakes.stamping import Stamping

ONE = CosignerKey("w1.example", seed=b"\x01" * 32)
POLICY = f"witness one {ONE.vkey} http://one/\nquorum one\n"


class Court(Stamping):
    """A served log with a witness that can be switched off, an authority likewise, and a desk."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.log.close()
        self.folder = folder
        self.witnessing = True
        monkeypatch.setattr(WitnessClient, "add_checkpoint", lambda _, body: self._cosign(body))
        monkeypatch.setattr(audit.client.recorder, "_WITNESSES", 0.2)
        self.tries = 0

    def run(self, entries: int = 3) -> Iterator[Desk]:
        """Serve the log with some entries in it."""
        policy = Policy.parse(POLICY.encode())
        with self.site.served(witnesses=Witnesses(policy=policy)):
            client = self.site.recorder(caller="audit", policy=policy, timeout=20 if self.witnessing else 2)
            with closing(client), closing(self.site.recorder()) as sso:
                for _ in range(entries):
                    sso.record(event(self.clock), wait=Wait.PUBLISHED)
                yield self.desk(client)

    def desk(self, recorder: Any) -> Desk:
        keys = [key for key in (self.site.key.vkey, self.site.key.mldsa_vkey) if key is not None]
        stamper = Stamper(
            log=self.site.reader(), store=self.store, ask=self._ask, roots=[self.authority.root.certificate],
            interval=self.clock.moved, policy="", dated_by=self.site.key.mldsa_vkey, recorder=recorder,
            clock=self.clock,
        )  # fmt: skip
        return Desk(
            logs=[Kept(base=0, log=self.site.reader(), keys=keys, stamped=self._stamped, stamp=stamper.now)],
            seals=self.site.seals, site=Site(name="City", policy=POLICY), recorder=recorder, clock=self.clock,
            folder=self.folder / "evidence",
        )  # fmt: skip

    def check(self, made: Made) -> tuple[dict[str, Any], str, list[str]]:
        """What the manifest says, what the report says, and what the outsider's program proved."""
        keys = [str(key) for key in (self.site.key.vkey, self.site.key.mldsa_vkey)]
        verdict = verify(made.path, Anchors(keys, POLICY, [self.authority.root.certificate]))
        with zipfile.ZipFile(made.path) as whole:
            [said] = json.loads(whole.read("META-INF/manifest.json"))["logs"]
            report = subprocess.run(
                ["pdftotext", "-", "-"], input=whole.read("report.pdf"), capture_output=True, check=True
            ).stdout.decode()
        return said, " ".join(report.split()), [f"{state}: {en}" for state, en, _ in verdict.findings]

    def _ask(self, question: bytes) -> bytes:
        self.tries += 1
        return Authority(self.authority.url, timeout=5).ask(question)

    def _stamped(self, size: int) -> Token | None:
        found = self.store.covering(size)
        return None if found is None else Token(
            note=found.note, token=found.token, at=found.at, authority=found.authority
        )  # fmt: skip

    def _cosign(self, body: bytes) -> Reply:
        if not self.witnessing:
            raise WitnessSilent
        lines = ONE.cosign(Submission.parse(body).unverified_note.text, self.clock.now())
        return Reply(200, "", "".join(str(line) for line in lines).encode())


@pytest.fixture
def court(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Court]:
    with closing(Court(tmp_path, monkeypatch)) as court:
        yield court


WISH = Wish(places=[1, 2, 3], about="range:1-3", purpose="Case 9")


def test_witnesses_and_authority_are_asked_before_the_file_is_made(court: Court) -> None:
    # The log asks its witnesses only now and then, and the authority once an hour: neither covers a fresh entry.
    for desk in court.run():
        said, report, proved = court.check(desk.make(OFFICER, WISH))
        assert (said["witnessed"], said["stamped"]) == (True, True)
        assert not any(not each.startswith("proved") for each in proved), proved
        assert any("cosigned by one" in each for each in proved)
        assert any("every entry existed at" in each for each in proved)
        assert "asked when this file was made" not in report
        # What covers them now is not asked for again.
        again, _, _ = court.check(desk.make(OFFICER, WISH))
        assert (again["witnessed"], court.tries) == (True, 1)
    begun = [each for each in court.types() if each == "audit.evidence.begun"]
    assert len(begun) == 1


def test_whoever_stays_silent_holds_nothing_up_and_the_report_says_so(court: Court) -> None:
    court.witnessing = False
    court.authority.close()
    for desk in court.run():
        said, report, proved = court.check(desk.make(OFFICER, WISH))
        assert (said["witnessed"], said["stamped"]) == (False, False)
        assert "They were asked when this file was made, and too few had answered" in report
        assert "The time-stamping authority was asked when this file was made" in report
        assert "制作本文件时已向其请求" in report.replace(" ", "")
        assert "false: enough witnesses have cosigned the checkpoint: too few witnesses have cosigned it" in proved
        assert "could not be checked: there is no time-stamp in the file" in proved
