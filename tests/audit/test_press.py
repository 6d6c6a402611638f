# SPDX-License-Identifier: Apache-2.0
"""Entries are the same whoever makes them: here, in a helper, or by the encoder that is the measure."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import BadEvent, Event, encode_event
from audit.merkle import leaf_hash
from audit.models_codec import Draft, canonical, draft_of, encode_entry, entry_of, parted, plain, read_draft
from audit.press import NOTHING, Job, bound_to
from audit.press.pool import Press
from audit.press.sealing import COMMITMENT_INFO, SECRET_INFO, Part, seal
from audit.verify import verify_folder
from audit.writer import Log, Place
from tests.audit.entries import events
from tests.fakes.log_site import LogSite, event, wait_for

_KEY = bytes(range(8)), bytes(range(32))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
_VALUES = st.recursive(
    _TEXT | _WHOLE | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=12
)


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    made = Press(2)
    wait_for(lambda: all(helper.ready() for helper in made.helpers))
    yield made
    made.close()


@given(st.dictionaries(_TEXT, _VALUES))
def test_both_encoders_make_the_same_bytes(document: dict[str, Any]) -> None:
    assert plain(document) == canonical(document)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**64), 10**40])
def test_numbers_beyond_the_fast_encoder_are_left_to_the_other(number: int) -> None:
    assert plain({"n": number}) == canonical({"n": number})


def test_every_control_character_is_escaped_alike() -> None:
    text = "".join(map(chr, range(0x2100)))
    assert plain({text: text}) == canonical({text: text})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_an_entry_made_from_bytes_is_the_entry_of_the_event(one: Event) -> None:
    draft = draft_of(one)
    document, facts = parted(draft.encoded)
    assert facts == one.sealed
    for ciphertext in ("", "c2VhbGVk"):
        document, _ = parted(draft.encoded)
        made = entry_of(document, sequence=7, ciphertext=ciphertext)
        assert made == encode_entry(one, sequence=7, ciphertext=ciphertext)


def test_a_key_is_derived_as_the_library_derives_it() -> None:
    key_id, key = _KEY
    bound = bound_to("ab" * 16, "sso.login", "sso", "3b0e")
    part = Part.parse(seal(b"{}", bound=bound, key_id=key_id, key=key).decode())
    secret = HKDF(SHA256(), 32, salt=part.salt, info=SECRET_INFO + bound).derive(key)
    assert part.key_id == key_id
    assert part.commitment == HKDF(SHA256(), 32, salt=None, info=COMMITMENT_INFO).derive(secret)


def _work(count: int) -> tuple[list[bytes], list[Job]]:
    drafts = [draft_of(event(key=f"{i:032x}")) for i in range(count)]
    return [draft.encoded for draft in drafts], [
        Job(draft.encoded, i, *_KEY) if i % 2 else Job(encode_event(event(sealed={})), i, *NOTHING)
        for i, draft in enumerate(drafts)
    ]


def test_helpers_answer_for_each_in_order(press: Press) -> None:
    encoded, jobs = _work(300)
    encoded[7], encoded[299] = b"{}", encoded[3][:-1]
    found = press.read(encoded)
    assert [i for i, each in enumerate(found) if isinstance(each, BadEvent)] == [7, 299]
    assert found == [each if isinstance(each, BadEvent) else read_draft(encoded[i]) for i, each in enumerate(found)]
    assert all(isinstance(each, Draft) for each in found[8:299])
    made = press.make(jobs)
    assert [json.loads(each.raw)["metadata"]["sequence"] for each in made if each] == list(range(300))
    for each, job in zip(made, jobs, strict=True):
        assert each is not None
        assert each.leaf == leaf_hash(each.raw)
        assert ("ciphertext" in json.loads(each.raw).get("unmapped", {})) is bool(job.sequence % 2)


def test_what_becomes_too_long_is_told_of_itself_alone(press: Press) -> None:
    _, jobs = _work(256)
    long = jobs[5].encoded.replace("李雷".encode(), b"x" * 60_000)
    made = press.make([*jobs[:5], jobs[5]._replace(encoded=long), *jobs[6:]])
    assert [i for i, each in enumerate(made) if each is None] == [5]


def test_a_helper_that_dies_costs_nothing_but_itself() -> None:
    others = _children()
    press = Press(1)
    try:
        [child] = before = _children() - others
        wait_for(lambda: all(helper.ready() for helper in press.helpers))
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: _state(child) == "Z")
        encoded, jobs = _work(256)
        assert not any(isinstance(each, BadEvent) for each in press.read(encoded))
        assert None not in press.make(jobs)
        assert len(_children() - others - before) == 1
    finally:
        press.close()
    assert _children() <= others


def _children() -> set[int]:
    """Helpers of this process that are alive."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text("ascii", "replace").rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"audit.press" in command:
            found.add(int(status.parent.name))
    return found


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]


def test_a_log_with_helpers_keeps_what_one_without_keeps(tmp_path: Path, press: Press) -> None:
    site = LogSite(tmp_path).create()
    log = Log.open(site.folder, key=site.key, seals=site.seals, clock=site.clock, press=press)
    sent = [event(subject=f"p{i % 7}", source="ca" if i % 3 else "sso") for i in range(200)]
    long = event(sealed={"name": "x" * 50_000})
    places = log.append([*sent[:100], long, *sent[100:], sent[0]])
    assert isinstance(places.pop(100), BadEvent)
    assert [place.index for place in places if isinstance(place, Place)] == [*range(1, 201), 1]
    log.integrate()
    reader = site.reader()
    for place, one in zip(places, sent, strict=False):
        assert isinstance(place, Place)
        entry = reader.entry(place.index)
        assert entry.event.key == one.key
        assert site.seals.open(entry) == one.sealed
    log.close()
    assert verify_folder(site.folder, site.vkey).size == 201
    site.close()
