# SPDX-License-Identifier: Apache-2.0
"""An officer who allowed a device to enrol answers for what it got by EST since, and for nothing before."""

from datetime import timedelta

from ca.incidents import Plan, Selector
from ca.incidents.models import Act
from ca.models import serial_hex
from tests.ca.est.client import URN, Devices, csr, made
from tests.fakes.people import OFFICER


def test_enrolments_lead_to_what_came_of_them(devices: Devices) -> None:
    site = devices.site
    before = devices.certificate()
    site.world.clock.advance(timedelta(hours=1))
    enrolled = made(devices.send("simpleenroll", csr(alternatives=[URN]), basic=devices.enrolment()))
    wanted = Plan(selector=Selector(officer=OFFICER.subject, profiles=("device-client",)), act=Act.REVOKE, text="x")
    preview = site.incidents.preview(wanted, by="x")
    found, _ = site.incidents.listed(preview.id)
    serials = {each.serial for each in found}
    assert serial_hex(enrolled.serial_number) in serials
    # What an officer did not lead to is only there if it was in the officer's name.
    asked_by = site.authority.certificate(serial_hex(before.serial_number)).actor
    assert (serial_hex(before.serial_number) in serials) is (asked_by == OFFICER.subject)
    assert site.incidents.preview(Plan(selector=Selector(officer="x"), act=Act.REVOKE, text="x"), by="x").size == 0
