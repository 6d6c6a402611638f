# SPDX-License-Identifier: Apache-2.0
"""The officer's page of enrolments: what is withdrawn there is worth nothing at the next request."""

import re

from tests.ca.est.client import Devices, csr, refused
from tests.ca.sites import ORIGIN
from tests.fakes.people import CITIZEN


def test_an_enrolment_is_withdrawn_by_its_page(devices: Devices) -> None:
    site, (name, secret) = devices.site, devices.enrolment()
    client, path = site.client(), "/enrolments"
    shown = client.get(path, headers=site.headers("GET", path), base_url=ORIGIN).get_data(as_text=True)
    assert f"Withdraw {name}" in shown
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    assert token is not None
    address = f"{path}/{name}/withdraw"
    form = {"csrf_token": token.group(1)}

    def post(fields: dict[str, str], **more: object) -> int:
        headers = site.headers("POST", address, **more)  # type: ignore[arg-type]  # roles alone
        return client.post(address, data=fields, headers=headers, base_url=ORIGIN).status_code

    assert post({}) == 403
    assert post(form, roles=frozenset({"citizen"}), subject=CITIZEN.subject) == 403
    assert site.est.enrolments.enrolments()[0].state.value == "open"
    assert post(form) == 303
    shown = client.get(path, headers=site.headers("GET", path), base_url=ORIGIN).get_data(as_text=True)
    assert f"Withdraw {name}" not in shown
    assert name in shown
    refused(devices.send("simpleenroll", csr(), basic=(name, secret)), 401)
    # Once more changes nothing, and one that never was is not found.
    assert post(form) in (303, 404, 409)
    address = f"{path}/{'0' * 24}/withdraw"
    assert post(form) == 404
    told = [each.type for each in devices.world.outbox()]
    assert told.count("ca.est.enrolment.withdrawn") == 1
