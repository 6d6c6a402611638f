# SPDX-License-Identifier: Apache-2.0
"""The city in containers, as far as a machine without an engine can tell.

Debian's compose reads the file, and what it read must be what the design says about networks, secrets and folders.
"""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from app.context import Context, DatabaseSettings
from core.site import PORTALS, ROLES

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "app" / "sample"
OWN = {"slapd", "log", "nginx", *ROLES, *(f"portal-{name}" for name in PORTALS)}
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
    assert set(services) == OWN | {"postgres", "init"}
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
    open_to_all = [{"published": port, "target": port} for port in (ports.external, ports.plain)]
    on_loopback = [f"127.0.0.1:{port}:{port}/tcp" for port in (ports.internal, ports.management)]
    assert composed["services"]["nginx"]["ports"] == open_to_all + on_loopback


def test_no_secret_stands_in_the_file_or_in_an_environment(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        environment = service.get("environment") or {}
        allowed = {"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"} if name == "postgres" else set()
        assert set(environment) == allowed, name
        assert "env_file" not in service
    assert all(set(secret) == {"file"} for secret in composed["secrets"].values())
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)


def test_each_role_is_given_its_own_database_file_and_nobody_elses(composed: dict[str, Any]) -> None:
    databases = {role for role in ROLES if role != "audit"}
    for name in OWN:
        given = {secret["source"] for secret in composed["services"][name].get("secrets", [])}
        assert given == ({f"{name}-database"} if name in databases else set()), name


def test_each_container_mounts_its_own_folder_and_public_things_for_reading(composed: dict[str, Any]) -> None:
    for name in OWN:
        mounted = _volumes(composed["services"][name])
        holder = "audit" if name == "log" else name
        assert set(mounted) == {"/site/site.toml", f"/site/{holder}", "/site/public", "/site/run"}, name
        assert mounted["/site/public"] == "public:ro"
        assert mounted["/site/site.toml"].endswith(":ro")


def test_every_container_says_whether_it_is_well_and_waits_for_those_it_needs(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for name in OWN | {"postgres"}:
        assert services[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert services[name]["restart"] == "unless-stopped"
    for name in OWN:
        assert services[name]["depends_on"], name
        assert set(services[name]["depends_on"]) <= set(services)


def test_containers_are_closed_as_far_as_they_can_be(composed: dict[str, Any]) -> None:
    for name in OWN | {"init"}:
        service = composed["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


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
    assert ".state" in (ROOT / ".dockerignore").read_text("utf-8").split()


def test_the_samples_configuration_is_read_without_objection(composed: dict[str, Any]) -> None:
    context = Context.read(SAMPLE / "compose.toml")
    files = context.settings("databases", DatabaseSettings).url_files
    assert set(files) == {role for role in ROLES if role != "audit"}
    for role, path in files.items():
        assert path == Path(f"/run/secrets/{role}-database")
        assert f"{role}-database" in composed["secrets"]
    known = {"site", "databases"}
    assert set(tomllib.loads((SAMPLE / "compose.toml").read_text("utf-8"))) == known


def test_the_databases_script_is_a_shell_script_for_the_same_roles(composed: dict[str, Any]) -> None:
    script = SAMPLE / "databases.sh"
    subprocess.run(["sh", "-n", str(script)], check=True, capture_output=True)
    found = re.search(r"for role in ([a-z ]+); do", script.read_text("utf-8"))
    assert found
    wanted = {f"{role}-database" for role in found.group(1).split()} | {"postgres"}
    assert {secret["source"] for secret in composed["services"]["postgres"]["secrets"]} == wanted
    assert set(composed["secrets"]) == wanted
