# SPDX-License-Identifier: Apache-2.0
"""The text of nginx's configuration: what must stand in it and what can never get into it."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.config import ConfigurationError, decode
from gateway import GatewaySettings
from gateway.config import Route
from gateway.proxy import configuration, host_names
from gateway.proxy.blocks import quoted
from gateway.service import as_root, command, prepare
from tests.gateway.conftest import ROOT, SECRET, make_site


def _servers(text: str) -> list[str]:
    return re.findall(r"^    server \{\n.*?^    \}", text, re.MULTILINE | re.DOTALL)


def test_every_guarded_host_stands_at_every_tls_listener_behind_the_decision_of_that_listener(tmp_path: Path) -> None:
    site, settings = make_site(tmp_path), GatewaySettings()
    servers = _servers(configuration(site, settings))
    for label in settings.routes:
        for listener in ("external", "internal", "management"):
            port = getattr(site.ports, listener)
            (found,) = [
                one for one in servers if f"127.0.0.1:{port} ssl;" in one and f"server_name {site.host(label)};" in one
            ]
            assert "auth_request /.tallygate/decide;" in found
            assert f"proxy_pass http://gateway_ask/decide/{listener};" in found
            assert (
                found.count("/decide/external;") + found.count("/decide/internal;") + found.count("/decide/management;")
                == 1
            )


def test_certificates_are_asked_for_only_where_they_mean_something(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    asking = [one for one in _servers(configuration(site, GatewaySettings())) if "ssl_verify_client" in one]
    assert {name for one in asking for name in re.findall(r"server_name (\S+);", one)} == {
        "ca-direct.city.localhost",
        "card.city.localhost",
        "est.city.localhost",
        "pdp.city.localhost",
        "sso-tls.city.localhost",
        "devices.city.localhost",
    }


def test_the_authoritys_side_door_stands_in_the_management_network_only(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    servers = _servers(configuration(site, GatewaySettings()))
    (found,) = [one for one in servers if "server_name ca-direct.city.localhost;" in one]
    assert f"127.0.0.1:{site.ports.management} ssl;" in found
    assert "ssl_verify_client optional_no_ca;" in found
    assert "include secrets/ca.conf;" in found
    assert "auth_request" not in found
    assert "location ^~ /direct/ {" in found
    assert "location ^~ /static/ {" in found
    # These two, and nothing else of the authority's; both tell it the zone, which is part of its own decision.
    assert found.count("proxy_pass http://role_ca;") == 2
    assert found.count("proxy_set_header Tallygate-Listener management;") == 2


def test_a_path_with_a_limit_of_its_own_keeps_everybodys(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    found = [one for one in _servers(configuration(site, GatewaySettings())) if "server_name sso.city." in one]
    assert found
    for one in found:
        place = one[one.index("location = /authorize {") :]
        place = place[: place.index("}")]
        assert "limit_req zone=address burst=2000 nodelay;" in place
        assert "limit_req zone=strangers burst=400 nodelay;" in place
        assert "proxy_pass http://role_sso;" in place


def test_an_open_host_at_no_listener_we_know_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="listeners"):
        decode(
            GatewaySettings,
            {"open_hosts": {"x": {"role": "ca", "why": "x", "listeners": ["attic"]}}},
            where="gateway",
            folder=Path(),
        )


def test_no_proxied_location_lets_the_clients_headers_through_by_default(tmp_path: Path) -> None:
    text = configuration(make_site(tmp_path), GatewaySettings())
    locations = re.findall(r"^ +location [^{]+\{\n(.*?)^ +\}", text, re.MULTILINE | re.DOTALL)
    proxied = [one for one in locations if "proxy_pass " in one]
    assert len(proxied) > 50
    for one in proxied:
        assert "proxy_pass_request_headers off;" in one


def test_a_bearer_token_goes_on_only_where_the_settings_say_so(tmp_path: Path) -> None:
    settings = GatewaySettings()
    settings.routes["tax"] = replace(settings.routes["tax"], passes_token=True)
    for server in _servers(configuration(make_site(tmp_path), settings)):
        (found,) = re.findall(r"^        location / \{\n(.*?)^        \}", server, re.MULTILINE | re.DOTALL) or [""]
        if "$tallygate_identity" in found:
            assert ("$http_authorization" in found) == ("server_name tax." in server)
            assert "proxy_set_header Cookie $tallygate_cookies;" in found


def test_the_secret_stands_in_a_private_file_and_nowhere_else(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    for callee in ("gateway", "sso", "ca"):
        path = site.secret_path(holder="nginx", caller="nginx", callee=callee)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
        path.chmod(0o600)
    for _ in range(2):
        prepare(site, GatewaySettings(), static=ROOT / "core" / "web" / "static", answers_last=timedelta(hours=8))
    holding = [path for path in site.folder("nginx").rglob("*") if path.is_file() and b"bm5u" in path.read_bytes()]
    assert sorted(path.name for path in holding) == ["ca.conf", "gateway.conf", "sso.conf"]
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_a_missing_secret_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        prepare(
            make_site(tmp_path),
            GatewaySettings(),
            static=ROOT / "core" / "web" / "static",
            answers_last=timedelta(hours=8),
        )


def test_nginx_is_told_its_user_only_when_root_runs_it(tmp_path: Path) -> None:
    line = command(make_site(tmp_path))
    assert "-g" not in line
    assert as_root(line)[-2:] == ["-g", "user root root;"]


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a$b", "a\nb", "a\0b"])
def test_what_could_break_out_of_a_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        quoted(value)


@pytest.mark.parametrize(
    "table",
    [
        {"routes": {"a b": {"role": "audit", "zone": "external", "resource_class": "portal"}}},
        {"routes": {"a": {"role": "a;b", "zone": "external", "resource_class": "portal"}}},
        {"routes": {"a": {"role": "audit", "zone": "internet", "resource_class": "portal"}}},
        {"routes": {"a": {"role": "audit", "zone": "external", "resource_class": "portal", "api": ["/a b"]}}},
        {"routes": {"a": {"role": "audit", "zone": "external", "resource_class": "portal", "public": ["/a{}"]}}},
        {"routes": {"sso": {"role": "audit", "zone": "external", "resource_class": "portal"}}},
        {"open_hosts": {"a": {"role": "audit", "why": "x", "paths": ["/;"]}}},
        {"open_hosts": {"a": {"role": "ca", "why": "x", "zone": "attic"}}},
        {"open_hosts": {"pki": {"role": "audit", "why": "x"}}},
        {"headers": ["Tallygate-Identity"]},
        {"sockets": 0},
        {"headers": ["x-forwarded-for"]},
        # With these a host would be sent the session's cookie, a token that stays here, or a head of another shape.
        *(
            {"headers": [name]}
            for name in ("Cookie", "authorization", "Forwarded", "Host", "Transfer-Encoding", "Upgrade")
        ),
        {"headers": ["X_Y"]},
        {"headers": ["A;"]},
        {"body_limit": 0},
        {"rate": 0},
        {"burst": 0},
        {"stranger_rate": 0},
        {"stranger_burst": 0},
        {"open_hosts": {"a": {"role": "audit", "why": "x", "limited": ["/;"]}}},
        {"open_hosts": {"a": {"role": "audit", "why": "x", "paths": ["/a"], "limited": ["/b"]}}},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_be_right_stop_the_start(tmp_path: Path, table: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        decode(GatewaySettings, table, where="gateway", folder=tmp_path)


def test_the_certificate_must_carry_every_name(tmp_path: Path) -> None:
    names = host_names(make_site(tmp_path), GatewaySettings())
    assert {"tax.city.localhost", "devices.city.localhost", "card.city.localhost", "log.city.localhost"} <= set(names)


def test_a_route_says_where_it_leads_and_not_who_may_go_there() -> None:
    assert not {"roles", "people", "allowed"} & set(Route.__dataclass_fields__)


def test_every_listener_stands_at_the_address_of_the_settings(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    assert set(re.findall(r"listen ([0-9.]+):", configuration(site, GatewaySettings()))) == {"127.0.0.1"}
    everywhere = replace(site, ports=replace(site.ports, address="127.9.8.7"))
    assert set(re.findall(r"listen ([0-9.]+):", configuration(everywhere, GatewaySettings()))) == {"127.9.8.7"}
    with pytest.raises(ValueError, match="permitted"):
        replace(site.ports, address='0.0.0.0"; x')
