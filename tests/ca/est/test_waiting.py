# SPDX-License-Identifier: Apache-2.0
"""Where officers decide one by one: 202 until they have, and then the certificate for the same request."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ca.config import EstSettings
from ca.registration.service import At
from core.config import ConfigurationError
from tests.ca.est.client import HOST, Devices, csr, made, refused
from tests.ca.sites import open_est, open_site
from tests.ca.world import World
from tests.fakes.people import KIOSK, OFFICER

AT = At(officer=OFFICER.subject, assurance=3, zone="management")


@pytest.fixture
def devices(world: World, released: Path) -> Devices:
    settings = EstSettings(queued=("device-client",), queue_pause=timedelta(seconds=90), certificates_limit=100)
    world.settings = replace(world.settings, est=settings)
    return Devices(open_site(world, released))


def decide(devices: Devices, *, deny: str = "") -> None:
    registration = devices.site.registration
    (asked,) = registration.asked_by(KIOSK.id)[:1]
    if deny:
        registration.deny(asked.id, AT, reason=deny)
        return
    registration.approve(asked.id, AT, digest=registration.preview(asked).digest)


def test_a_request_waits_for_an_officer_and_the_retry_gets_the_certificate(devices: Devices) -> None:
    body, basic = csr(), devices.enrolment()
    for _ in range(3):
        answer = devices.send("simpleenroll", body, basic=basic)
        assert (answer.status_code, answer.headers["Retry-After"]) == (202, "90")
        assert answer.headers["Cache-Control"] == "no-store"
    assert len(devices.site.registration.asked_by(KIOSK.id)) == 1
    decide(devices)
    certificate = made(devices.send("simpleenroll", body, basic=basic))
    stored = devices.site.authority.certificate(format(certificate.serial_number, "x"))
    assert (stored.subject, stored.actor) == (KIOSK.id, OFFICER.subject)
    told = [each for each in devices.world.outbox() if each.type == "ca.est.enrolled"]
    assert [each.object for each in told] == [stored.serial]
    # The secret is spent with the certificate that it brought, not before.
    refused(devices.send("simpleenroll", body, basic=basic), 401)


def test_a_denied_request_stays_denied_and_another_may_be_made(devices: Devices) -> None:
    body, basic = csr(), devices.enrolment()
    assert devices.send("simpleenroll", body, basic=basic).status_code == 202
    decide(devices, deny="not on the list")
    assert "not on the list" in refused(devices.send("simpleenroll", body, basic=basic), 403)
    assert devices.send("simpleenroll", csr(), basic=basic).status_code == 202


def test_what_nobody_decided_in_time_is_asked_anew(devices: Devices) -> None:
    body = csr()
    assert devices.send("simpleenroll", body, basic=devices.enrolment()).status_code == 202
    devices.world.clock.advance(timedelta(days=15))
    devices.site.registration.tidy()
    assert devices.send("simpleenroll", body, basic=devices.enrolment()).status_code == 202
    decide(devices)
    made(devices.send("simpleenroll", body, basic=devices.enrolment()))


def test_a_device_does_not_fill_the_queue(devices: Devices) -> None:
    basic = devices.enrolment()
    for _ in range(5):
        assert devices.send("simpleenroll", csr(), basic=basic).status_code == 202
    refused(devices.send("simpleenroll", csr(), basic=basic), 429)


def test_another_device_learns_nothing_of_it(devices: Devices) -> None:
    body = csr()
    assert devices.send("simpleenroll", body, basic=devices.enrolment()).status_code == 202
    decide(devices)
    refused(devices.send("simpleenroll", body, basic=("0" * 32, "x" * 43)), 401)


def test_renewal_goes_on_without_officers_and_keys_are_not_made(devices: Devices) -> None:
    held = devices.certificate()
    assert "officer decides" in refused(devices.send("serverkeygen", csr(), basic=devices.enrolment()), 403)
    other = devices.enrolment("device-server", hosts=(HOST,))
    made(devices.send("device-server/simpleenroll", csr(), basic=other))
    assert devices.send("simpleenroll", csr(), certificate=held).status_code == 202


def test_hosts_are_not_decided_at_the_desk(world: World, released: Path) -> None:
    site = open_site(world, released)
    world.settings = replace(world.settings, est=EstSettings(queued=("device-server",)))
    with pytest.raises(ConfigurationError):
        open_est(world, site.authority, site.registration)
    with pytest.raises(ValueError, match="queued"):
        EstSettings(queued=("nothing",))
