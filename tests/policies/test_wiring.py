# SPDX-License-Identifier: Apache-2.0
"""The birth of a site gives it a policy key and a first release that every role can verify."""

from pathlib import Path

import pytest

from app.context import Context
from app.wiring import policies
from core.config import Document
from core.site import SiteSettings
from policies import BundleRefused
from policies.bundle import JOURNAL, read_source, release
from policies.keys import read_policy_key, read_release_key
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

from .conftest import AT, Ask


@pytest.fixture
def context(tmp_path: Path) -> Context:
    table = {
        "name": "city",
        "domain": "city.localhost",
        "title": "City",
        "title_zh": "城市",
        "state": "state",
        "ports": {"external": 1, "internal": 2, "management": 3, "plain": 4, "ldaps": 5},
    }
    document = Document({"site": table}, folder=tmp_path)
    return Context(
        site=document.section("site", SiteSettings), document=document, clock=ManualClock(), path=tmp_path / "site.toml"
    )


def test_a_site_is_born_with_policies(context: Context, ask: Ask) -> None:
    recorder = ListRecorder()
    policies.found(context, recorder)
    assert policies.engine(context).decide(ask()).allowed
    assert recorder.types() == ["policy.released", "policy.released"]
    assert (context.site.folder("policies") / "release.key").stat().st_mode & 0o077 == 0


def test_without_a_bundle_there_is_no_engine(context: Context) -> None:
    with pytest.raises(BundleRefused):
        policies.engine(context)


def test_a_key_of_another_kind_is_refused(context: Context) -> None:
    policies.found(context, ListRecorder())
    (context.site.public / "policy-key.pem").write_bytes((Path(__file__)).read_bytes())
    with pytest.raises(BundleRefused):
        read_policy_key(context.site.public / "policy-key.pem")


def test_the_key_can_release_again(context: Context, tmp_path: Path, shipped_files: dict[str, bytes]) -> None:
    recorder = ListRecorder()
    policies.found(context, recorder)
    engine = policies.engine(context)
    key = read_release_key(context.site.folder("policies") / "release.key")
    journal = context.site.folder("policies") / JOURNAL
    again = {**shipped_files, "more.cedar": b'@id("more") permit (principal, action, resource) when { false };'}
    again["cases.csv"] += b"nobody,access,verify,external,0,,allowed,,public-class\n"
    with pytest.raises(Exception, match="no case proves more"):
        release(context.site.public / "policies", again, key=key, journal=journal, recorder=recorder, at=AT, actor="a")
    del again["more.cedar"]
    release(context.site.public / "policies", again, key=key, journal=journal, recorder=recorder, at=AT, actor="a")
    assert engine.reload()
    assert read_source(context.site.public / "policies" / engine.version)["cases.csv"] == again["cases.csv"]
