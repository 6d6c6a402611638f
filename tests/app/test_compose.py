# SPDX-License-Identifier: Apache-2.0
"""The city in containers, as far as a machine without an engine can tell.

Debian's compose reads the file, and what it read must be what the design says about networks, secrets and folders.
What only an engine had shown once is held here by what it needs: addresses, capabilities, users, ignored files.
"""

import ipaddress
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.context import Context, DatabaseSettings
from core.site import PORTALS, ROLES

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "app" / "sample"
OWN = {"slapd", "log", "watch", "nginx", *ROLES, *(f"portal-{name}" for name in PORTALS)}
"""One container for each process of a site."""


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file as compose understands it, anchors and short forms resolved."""
    said = subprocess.run(
        ["docker-compose", "-f", str(ROOT / "docker-compose.yml"), "config"],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert said.stderr == ""
    document: dict[str, Any] = yaml.safe_load(said.stdout)
    return document


def _volumes(service: dict[str, Any]) -> dict[str, str]:
    """Path in the container to source and mode."""
    mounted = (entry.rsplit(":", 2) for entry in service["volumes"])
    return {target: f"{source}:{mode}" for source, target, mode in mounted}


def test_every_process_has_its_container(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert set(services) == OWN | {"postgres", "databases", "init"}
    for name in OWN:
        role = name.replace("portal-", "portal:")
        assert services[name]["command"] == ["serve", role, "--site", "/site/site.toml"]


def test_the_internal_network_has_no_way_out_and_only_nginx_stands_in_both(composed: dict[str, Any]) -> None:
    assert composed["networks"]["internal"]["internal"] is True
    assert "internal" not in (composed["networks"]["external"] or {})
    for name, service in composed["services"].items():
        expected = {"internal", "external"} if name == "nginx" else {"internal"}
        assert set(service["networks"]) == expected, name
        assert "network_mode" not in service
    published = {name for name, service in composed["services"].items() if service.get("ports")}
    assert published == {"nginx"}


def test_the_management_and_internal_listeners_are_published_on_loopback_only(composed: dict[str, Any]) -> None:
    ports = Context.read(SAMPLE / "compose.toml").site.ports
    # Never by IPv6, behind whose relay every visitor has the engine's address.
    open_to_all = [f"0.0.0.0:{port}:{port}/tcp" for port in (ports.external, ports.plain)]
    on_loopback = [f"127.0.0.1:{port}:{port}/tcp" for port in (ports.internal, ports.management)]
    assert composed["services"]["nginx"]["ports"] == open_to_all + on_loopback


def test_no_secret_stands_in_the_file_or_in_an_environment(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        environment = service.get("environment") or {}
        allowed = {"postgres": {"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"}, "databases": {"PGHOST"}}
        assert set(environment) == allowed.get(name, set()), name
        assert "env_file" not in service
    assert all(set(secret) == {"file"} for secret in composed["secrets"].values())
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)


def _given(composed: dict[str, Any], name: str) -> set[str]:
    return {secret["source"] for secret in composed["services"][name].get("secrets", [])}


def test_secrets_are_given_to_who_starts_as_root_only_for_nobody_else_can_read_them(composed: dict[str, Any]) -> None:
    urls = {f"{role}-database" for role in ROLES if role != "audit"}
    assert _given(composed, "init") == urls
    assert _given(composed, "databases") == urls | {"postgres"}
    # Its start reads the password before it becomes the user postgres; what runs after that could read nothing more.
    assert _given(composed, "postgres") == {"postgres"}
    assert not any("initdb" in volume for volume in composed["services"]["postgres"]["volumes"])
    for name in OWN:
        assert _given(composed, name) == set(), name
    for name in ("init", "databases", "postgres"):
        assert "user" not in composed["services"][name], name


def test_each_container_mounts_its_own_folder_and_public_things_for_reading(composed: dict[str, Any]) -> None:
    for name in OWN:
        mounted = _volumes(composed["services"][name])
        holder = "audit" if name in {"log", "watch"} else name
        assert set(mounted) == {"/site/site.toml", f"/site/{holder}", "/site/public", "/site/run"}, name
        assert mounted["/site/public"] == "public:ro"
        assert mounted["/site/site.toml"].endswith(":ro")


def test_every_container_says_whether_it_is_well(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for name in OWN | {"postgres"}:
        probe = services[name]["healthcheck"]["test"]
        # A file stays when who made it is dead; only an answer is a sign of life.
        assert probe[:2] in (["CMD", "curl"], ["CMD", "python3"], ["CMD", "pg_isready"]), name
        assert services[name]["restart"] == "unless-stopped"
        if probe[1] == "curl":
            assert "--fail" in probe, name
    # By address: while it sets itself up it answers at its Unix socket already.
    assert "127.0.0.1" in services["postgres"]["healthcheck"]["test"]


def test_every_probe_asks_where_its_process_listens(composed: dict[str, Any]) -> None:
    site = Context.read(SAMPLE / "compose.toml").site
    inside = {
        "slapd": ("slapd", "ldapi"),
        "log": ("audit", "log"),
        "watch": ("audit", "watch"),
        "nginx": ("nginx", "sock"),
    }
    for name in OWN:
        path = site.socket(*inside.get(name, (name, "sock"))).relative_to(site.state)
        assert f"/site/{path}" in " ".join(composed["services"][name]["healthcheck"]["test"]), name


def test_everybody_waits_for_those_it_needs(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for name in OWN:
        assert services[name]["depends_on"], name
        assert set(services[name]["depends_on"]) <= set(services)
    assert services["databases"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["init"]["depends_on"] == {"databases": {"condition": "service_completed_successfully"}}
    assert services["slapd"]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
    for name in ("init", "databases"):
        assert services[name]["restart"] == "no"


def test_every_role_runs_as_its_own_user_that_bootstrap_makes(composed: dict[str, Any]) -> None:
    found = re.search(r"for role in ([a-z ]+); do", (ROOT / "scripts" / "bootstrap").read_text("utf-8"))
    assert found
    for name in OWN:
        role = {"log": "audit", "watch": "audit"}.get(name, name.removeprefix("portal-"))
        assert composed["services"][name]["user"] == f"tallygate-{role}"
        assert role in found.group(1).split()


def test_only_who_must_be_root_keeps_anything_of_its_power(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for name in OWN:
        assert "cap_add" not in services[name], name
    # Without FSETID the kernel drops the bit that gives sockets to the site's group, and nobody reaches anybody;
    # without KILL the log that runs while certificates are renewed cannot be ended.
    assert set(services["init"]["cap_add"]) == {
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    }  # fmt: skip
    assert set(services["databases"]["cap_add"]) == {"DAC_OVERRIDE"}
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_no_container_writes_beside_its_volumes_or_fills_the_disk_with_what_it_says(composed: dict[str, Any]) -> None:
    for name in OWN | {"init"}:
        service = composed["services"][name]
        assert service["read_only"] is True
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert composed["services"]["databases"]["read_only"] is True


def test_nginxs_address_is_never_given_to_another_container(composed: dict[str, Any]) -> None:
    address = ipaddress.ip_address(composed["services"]["nginx"]["networks"]["internal"]["ipv4_address"])
    (pool,) = composed["networks"]["internal"]["ipam"]["config"]
    assert address in ipaddress.ip_network(pool["subnet"])
    assert address not in ipaddress.ip_network(pool["ip_range"])


def test_what_calls_sign_on_finds_nginx_and_not_itself(composed: dict[str, Any]) -> None:
    address = composed["services"]["nginx"]["networks"]["internal"]["ipv4_address"]
    for name in OWN - {"nginx"}:
        assert composed["services"][name]["extra_hosts"] == [f"sso.city.localhost:{address}"], name


def test_the_image_is_made_by_the_script_that_makes_a_machine(composed: dict[str, Any]) -> None:
    for name in OWN | {"init"}:
        assert composed["services"][name]["build"]["context"] == str(ROOT), name
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    steps = [line for line in lines if line.startswith("RUN ")]
    assert len(steps) == 1
    assert steps[0].startswith("RUN scripts/bootstrap ")
    assert "FROM debian:12-slim" in lines


def test_whatever_the_umask_of_the_checkout_every_role_can_read_the_code() -> None:
    (step,) = re.findall(r"^RUN .*$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert "chmod -R go=u-w ." in step


def test_no_secret_and_no_state_can_get_into_the_image_or_the_history(composed: dict[str, Any]) -> None:
    kept_out = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".state", ".venv"} <= set(kept_out)
    forgotten = (ROOT / ".gitignore").read_text("utf-8").split()
    for secret in composed["secrets"].values():
        folder = Path(secret["file"]).relative_to(ROOT).parts[0]
        assert folder in kept_out
        assert f"{folder}/" in forgotten


def test_what_the_roles_need_is_not_kept_out_of_the_image() -> None:
    kept_out = set((ROOT / ".dockerignore").read_text("utf-8").split())
    needed = {"app", "core", "scripts", "policies", "requirements.lock", "requirements-dev.lock", *OWN, "portals"}
    assert not kept_out & needed


def test_the_samples_configuration_is_read_without_objection(composed: dict[str, Any]) -> None:
    context = Context.read(SAMPLE / "compose.toml")
    databases = context.settings("databases", DatabaseSettings)
    assert set(databases.url_files) == {role for role in ROLES if role != "audit"}
    assert databases.handed_out_from == Path("/run/secrets")
    for role, path in databases.url_files.items():
        # init hands them out by these names.
        assert path == context.site.folder(role) / f"{role}-database"
        assert path.name in _given(composed, "init")
    known = {"site", "ca", "signatures", "directory", "databases"}
    assert set(tomllib.loads((SAMPLE / "compose.toml").read_text("utf-8"))) == known


def test_the_databases_script_is_a_shell_script_for_the_same_roles(composed: dict[str, Any]) -> None:
    script = SAMPLE / "databases.sh"
    subprocess.run(["sh", "-n", str(script)], check=True, capture_output=True)
    found = re.search(r"for role in ([a-z ]+); do", script.read_text("utf-8"))
    assert found
    wanted = {f"{role}-database" for role in found.group(1).split()} | {"postgres"}
    assert _given(composed, "databases") == wanted
    assert set(composed["secrets"]) == wanted
    mounted = _volumes(composed["services"]["databases"])
    assert mounted == {"/databases.sh": f"{script}:ro"}
    assert composed["services"]["databases"]["entrypoint"] == ["sh", "/databases.sh"]
