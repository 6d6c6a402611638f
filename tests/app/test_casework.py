# SPDX-License-Identifier: Apache-2.0
"""The report of a security incident on paper, drawn as the console hands it out and read as a person reads it."""

import subprocess
from datetime import timedelta
from pathlib import Path

from app.context import Context
from app.ports import free_ports
from app.up import write_configuration
from app.wiring.casework import on_paper, terms
from audit.cases import Grade, ReportKind
from audit.evidence import Waiting
from audit.web.incidents import document
from tests.audit.test_incidents import graded
from tests.fakes.audit_console import ConsoleFake


def test_the_paper_names_what_was_missed_what_is_awaited_and_what_was_shut(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    write_configuration(file, free_ports(wishes=()))
    context = Context.read(file)
    allowed, fake = terms(context), ConsoleFake(tmp_path)
    case = fake.cases.open(fake.reader, title="资料外泄 Files were copied", text="")
    fake.cases.grade(fake.reader, case, version=1, said=graded(fake, grade=Grade.PARTICULAR))
    fake.clock.advance(timedelta(hours=2))
    fake.cases.remind(allowed)
    consent = fake.grant("switch:portal=tax", kind="shut")
    fake.switching.throw(fake.reader, fake.warrants.find(consent))
    fake.cases.link_switch(fake.reader, case, version=3, warrant=consent)
    told = {"unit": "Document office", "impact": "文件四千份\nfour thousand files"}
    fake.cases.report(fake.reader, case, version=4, kind=ReportKind.FIRST, fields=told)
    found = fake.cases.read(fake.reader, case)

    paper = tmp_path / "incident.pdf"
    paper.write_bytes(on_paper(context)(found, document(found, allowed), ""))
    said = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    text = " ".join(said.split())
    for words in (
        "Security incident · 安全事件", "资料外泄 Files were copied", "Data security", "数据安全",
        "particularly serious", "特别重大", "First report", "文件四千份", "four thousand files", "portal=tax", consent,
        "classified and graded the security incident", "linked an emergency switch",
    ):  # fmt: skip
        assert words in text, (words, text)
    noticed = found.incident.noticed if found.incident else fake.clock.now()
    missed, awaited = noticed + timedelta(hours=1), fake.clock.now() + timedelta(hours=24)
    assert f"{missed:%Y-%m-%d %H:%M} UTC: was not made by this time" in text
    assert f"{awaited:%Y-%m-%d %H:%M} UTC: is due by this time" in text
    # Where the seal takes two, the paper says where the one with the seal waits.
    address = "https://sign.city.localhost/my/orders/" + "0" * 32
    waits = on_paper(context, seal=lambda *_: Waiting(address))(found, document(found, allowed), "h.e.r")
    paper.write_bytes(waits)
    said = subprocess.run(["pdftotext", "-raw", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    assert address in "".join(said.split())
    assert "等待第二位印章保管人确认" in "".join(said.split())
    # Whoever holds the paper finds each step in the record.
    assert all(step.digest[:20] in text for step in found.steps)
