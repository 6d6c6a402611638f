# SPDX-License-Identifier: Apache-2.0
"""A bulk desk over a founded authority, with devices, two officers, and tables that name them."""

import base64
import csv
import dataclasses
import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ca.models import Certificate
from ca.registration import At
from ca.registration.bulk import Bulk, Job, Jobs, Line, read_upload
from ca.service import CertificateAuthority
from directory import Device
from tests.ca.world import World, request_for
from tests.fakes.people import KIOSK, OFFICER

SECOND = dataclasses.replace(
    OFFICER, subject="4f7e80f2-b156-4fa2-8e95-73a16fc25e05", username="qian.li", name="Qian Li", mandates=()
)


def at(officer: str = OFFICER.subject, *, assurance: int = 3) -> At:
    return At(officer=officer, assurance=assurance, zone="management")


def table(*lines: Sequence[str], heading: Sequence[str] = ("device", "csr")) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerows([heading, *lines])
    return written.getvalue().encode()


def encoded(csr: bytes | None = None) -> str:
    return base64.b64encode(csr or request_for()).decode()


@dataclass
class Office:
    world: World
    authority: CertificateAuthority
    bulk: Bulk
    jobs: Jobs

    def devices(self, count: int) -> list[Device]:
        made = [dataclasses.replace(KIOSK, id=str(uuid.uuid4()), name=f"Meter {n}") for n in range(count)]
        self.world.directory.devices.update({each.id: each for each in made})
        return made

    def asked(self, count: int = 3, *, profile: str = "device-client") -> Job:
        lines = [(each.id, request_for().decode()) for each in self.devices(count)]
        return self.ask(table(*lines), profile=profile)

    def ask(self, file: bytes, *, profile: str = "device-client", asker: str = OFFICER.subject) -> Job:
        return self.bulk.ask(read_upload(file), profile=profile, asker=asker, reference="file 7", name="meters.csv")

    def approve(self, job: Job, officer: str = OFFICER.subject) -> Job:
        return self.bulk.approve(job.id, at(officer), digest=job.digest)

    def run(self, job: Job) -> Job:
        while self.bulk.step(job.id):
            pass
        self.bulk.finish(job.id)
        return self.bulk.job(job.id)

    def lines(self, job: Job) -> list[Line]:
        return list(self.bulk.all_lines(job.id))

    def good(self, device: str) -> list[Certificate]:
        found, _ = self.authority.certificates(device)
        return [each for each in found if self.authority.status(each.serial).good]


def open_office(world: World, authority: CertificateAuthority) -> Office:
    world.directory.people[SECOND.subject] = SECOND
    jobs = Jobs(world.database)
    bulk = Bulk(
        jobs=jobs,
        certificates=world.store,
        authority=authority,
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
    )
    return Office(world, authority, bulk, jobs)
