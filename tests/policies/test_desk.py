# SPDX-License-Identifier: Apache-2.0
"""Security administrators write, prove, sign and order policies on a page; the clerk believes signatures alone."""

import base64
import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from policies.bundle import SHADOW, history, read_current, read_shadow
from policies.desk import Act, State
from policies.desk.models import MOST_DRAFTS
from policies.errors import DraftMoved
from policies.models import DecisionRequest, Past
from tests.fakes.policy_desk import OTHER, QIAN, SMALL, SUN, DeskFake

ACCESS = SMALL["access.cedar"].decode()
STRICT = ACCESS.replace("context.assurance >= 1", "context.assurance >= 2")
REMARK = ACCESS + "\n// one more remark\n"


@pytest.fixture
def fake(tmp_path: Path) -> DeskFake:
    return DeskFake(tmp_path)


def _begun(fake: DeskFake, access: str = REMARK) -> str:
    answer = fake.post("/policies/drafts", {"title": "Remarks for readers"})
    assert answer.status_code == 303, answer.text
    identifier = answer.location.split("/")[-1].split("?")[0]
    form = {"version": "1", "name": "access.cedar", "text": access.replace("\n", "\r\n")}
    assert fake.post(f"/policies/drafts/{identifier}/file", form).status_code == 303
    return identifier


def _proposed(fake: DeskFake, **said: str) -> str:
    identifier = _begun(fake)
    assert _do(fake, identifier, "propose", **said) == 303
    return identifier


def _do(fake: DeskFake, identifier: str, verb: str, *, subject: str = QIAN, **form: str) -> int:
    given = {"version": fake.version(identifier), **form}
    return fake.post(f"/policies/drafts/{identifier}/{verb}", given, subject=subject).status_code


def _sign(fake: DeskFake, identifier: str, name: str) -> int:
    return _do(fake, identifier, "sign", subject=name, signature=fake.signed(identifier, name))


def test_from_a_text_in_the_browser_to_policies_in_force_and_back(fake: DeskFake) -> None:
    identifier = _proposed(fake)
    page = fake.get(f"/policies/drafts/{identifier}")
    assert "\n<ins>+// one more remark</ins>\n" in page.text
    # Nobody signed: not even a trial.
    assert _do(fake, identifier, "try") == 409
    assert _sign(fake, identifier, QIAN) == 303
    # Whoever wrote it never signs alone.
    assert _do(fake, identifier, "release") == 409
    assert _do(fake, identifier, "try") == 303
    assert fake.clerk.round() == 1
    tried = read_shadow(fake.folder, fake.key.public_key())
    assert tried
    assert tried.version in fake.get("/policies").text
    assert _sign(fake, identifier, SUN) == 303
    assert _do(fake, identifier, "release", subject=SUN) == 303
    assert fake.clerk.round() == 1
    manifest, files = read_current(fake.folder, fake.key.public_key(), administrators=fake.administrators)
    assert files["access.cedar"].decode() == REMARK
    assert (set(manifest.approvals), manifest.released_by) == ({QIAN, SUN}, SUN)
    assert fake.store.get(identifier).state is State.RELEASED
    # The trial is over when somebody says so, and that is recorded too.
    assert fake.post("/policies/trial/end", {}).status_code == 303
    assert fake.clerk.round() == 1
    assert not (fake.folder / SHADOW).exists()
    # Back to what was: signed by two like anything else, and needs no trial.
    before = history(fake.folder, fake.key.public_key())[1].version
    back = fake.post("/policies/drafts", {"title": "Back", "base": before}).location.split("/")[-1].split("?")[0]
    assert _do(fake, back, "propose") == 303
    for name in (QIAN, SUN):
        assert _sign(fake, back, name) == 303
    assert _do(fake, back, "release") == 303
    assert fake.clerk.round() == 1
    manifest, files = read_current(fake.folder, fake.key.public_key(), administrators=fake.administrators)
    assert (manifest.sequence, files["access.cedar"].decode()) == (3, ACCESS)
    compared = fake.get(
        f"/policies/versions?version={manifest.version}&other={history(fake.folder, fake.key.public_key())[1].version}"
    )
    assert "<del>-// one more remark</del>" in compared.text
    told = [(each.type, str(each.outcome)) for each in fake.recorder.events]
    for kind in ("policy.drafted", "policy.approved", "policy.ordered", "policy.read", "policy.trial.ended"):
        assert (kind, "success") in told
    assert told.count(("policy.approved", "success")) == 4


def test_who_reads_is_recorded_before_it_is_shown(fake: DeskFake) -> None:
    identifier = _begun(fake)
    for path, view in (
        ("/policies", "overview"),
        (f"/policies/drafts/{identifier}", "draft"),
        (f"/policies/drafts/{identifier}/replay?days=3", "replay"),
    ):
        fake.recorder.events.clear()
        assert fake.get(path, subject=SUN).status_code == 200
        [event] = fake.recorder.events
        assert (event.type, event.actor, event.attributes["view"]) == ("policy.read", SUN, view)
        fake.recorder.down = True
        assert fake.get(path, subject=SUN).status_code == 503
        fake.recorder.down = False


def test_every_page_speaks_chinese(fake: DeskFake) -> None:
    identifier = _proposed(fake)
    for path in ("/policies", f"/policies/drafts/{identifier}", f"/policies/drafts/{identifier}/replay"):
        sign = "&" if "?" in path else "?"
        page = fake.get(f"{path}{sign}lang=zh").text
        assert "策略工作台" in page
        # What somebody wrote in another language is marked as that.
        assert path != "/policies" or '<span lang="en">citizens use the portals</span>' in page


@pytest.mark.parametrize("roles", [("security-officer",), ("audit-administrator",), ("civil-servant",), ()])
def test_nobody_else_gets_in(fake: DeskFake, roles: tuple[str, ...]) -> None:
    assert fake.get("/policies", roles=roles).status_code == 403
    assert fake.get("/policies", roles=("security-administrator", "security-officer")).status_code == 403
    assert fake.get("/policies", assurance=1).status_code == 403
    assert fake.app.test_client().get("/api/v1/policy-orders").status_code in {401, 403}


def test_replay_shows_who_loses_by_route_group_and_zone(fake: DeskFake, ask: object) -> None:
    question: DecisionRequest = ask()  # type: ignore[operator]  # the fixture's own type
    fake.past = [Past(request=replace(question, subject=f"p{n}"), allowed=True, reasons=("portal",)) for n in range(3)]
    identifier = _begun(fake, STRICT)
    page = fake.get(f"/policies/drafts/{identifier}/replay?days=7").text
    assert "loses access" in page
    assert "gains access" not in page.split('id="cases"')[0]
    for told in (">tax<", ">citizen<", ">external<", ">3<"):
        assert told in page
    # Its own case table says so too, and it cannot be proposed.
    assert "expected allowed" in fake.get(f"/policies/drafts/{identifier}").text
    assert _do(fake, identifier, "propose") == 409
    # The list shows what was used and what never was.
    seen = fake.desk.overview(fake.reader(QIAN), days=7)
    hits = {line.id: line.hits for line in seen.lines}
    assert (hits["portal"], hits["seal"], seen.asked) == (3, 0, 3)
    assert "never matched" in fake.get("/policies").text
    # And so of the rows of the zone matrix.
    met = {row.id: (row.hits, row.refused) for row in seen.rows}
    assert met["within-external"] == (3, 0)
    assert met["within-management"] == (0, 0)
    assert "<code>within-management</code>" in fake.get("/policies").text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../site.toml", "x"), ("a/b.cedar", "x"), (".approval-qian.json", "x"), ("Access.cedar", "x"), ("x.py", "x"),
        ("current", "x"), ("a" * 90 + ".cedar", "x"), ("x.cedar", "x" * 262_145), ("x.cedar", "a\x00b"),
    ],
)  # fmt: skip
def test_a_file_that_no_release_can_have_is_refused(fake: DeskFake, name: str, content: str) -> None:
    identifier = _begun(fake)
    before = fake.store.get(identifier)
    form = {"version": str(before.version), "name": name, "text": content}
    assert fake.post(f"/policies/drafts/{identifier}/file", form).status_code == 400
    assert fake.store.get(identifier) == before


def test_what_does_not_build_is_told_and_goes_no_further(fake: DeskFake) -> None:
    identifier = _begun(fake, "permit (principal, action")
    assert "It does not build" in fake.get(f"/policies/drafts/{identifier}").text
    assert _do(fake, identifier, "propose") == 409
    assert fake.get(f"/policies/drafts/{identifier}/replay").status_code == 409


def test_an_older_form_changes_nothing_and_a_proposal_stays_as_it_is(fake: DeskFake) -> None:
    identifier = _begun(fake)
    stale = {"version": "1", "name": "access.cedar", "text": ACCESS}
    assert fake.post(f"/policies/drafts/{identifier}/file", stale).status_code == 409
    assert _do(fake, identifier, "propose") == 303
    assert _do(fake, identifier, "file", name="access.cedar", text=ACCESS) == 409
    assert _do(fake, identifier, "propose") == 409
    assert _do(fake, identifier, "withdraw") == 303
    assert _do(fake, identifier, "sign", signature="AAAA") == 409


@pytest.mark.parametrize("act", ["try", "release"])
def test_what_is_given_up_before_the_clerk_came_is_not_carried_out(fake: DeskFake, act: str) -> None:
    identifier = _proposed(fake, without_shadow="now")
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    assert _do(fake, identifier, act) == 303
    assert _do(fake, identifier, "withdraw", subject=SUN) == 303
    before = (fake.folder / "current").read_bytes()
    assert fake.clerk.round() == 0
    assert ((fake.folder / "current").read_bytes(), (fake.folder / SHADOW).exists()) == (before, False)
    [order] = fake.store.orders()
    assert (order.state, fake.store.get(identifier).state) == ("withdrawn", State.WITHDRAWN)
    assert "given up" in fake.get("/policies").text
    # Nor does an order that was on its way when it was given up.
    with pytest.raises(DraftMoved):
        fake.store.order(draft=identifier, act=Act(act), actor=QIAN, at=fake.clock.now())
    # What the clerk had in hand by then is in force, and told so.
    fake.desk.answer(order.id, done=False, told="no")
    assert fake.store.orders()[0].state == "withdrawn"
    fake.desk.answer(order.id, done=True, told="2-x")
    assert (fake.store.orders()[0].state, fake.store.get(identifier).state) == (
        "done", State.RELEASED if act == "release" else State.WITHDRAWN
    )  # fmt: skip


@pytest.mark.parametrize("wrong", ["another's", "another draft", "nonsense", "unknown"])
def test_only_ones_own_signature_of_this_proposal_counts(fake: DeskFake, wrong: str) -> None:
    identifier = _proposed(fake)
    good = fake.signed(identifier, QIAN)
    match wrong:
        case "another's":
            assert _do(fake, identifier, "sign", subject=SUN, signature=good) == 400
        case "another draft":
            other = fake.post("/policies/drafts", {"title": "Other"}).location.split("/")[-1].split("?")[0]
            assert _do(fake, other, "propose") == 303
            assert _do(fake, other, "sign", signature=good) == 400
        case "nonsense":
            for text_ in ("", "AAAA", good[:-4], "é" * 20):
                assert _do(fake, identifier, "sign", signature=text_) == 400
        case _:
            assert fake.get(f"/policies/drafts/{identifier}/statement", subject=OTHER).status_code == 409
            assert _do(fake, identifier, "sign", subject=OTHER, signature=good) == 409
    assert not fake.store.get(identifier).signatures


def test_a_trial_lasts_as_long_as_was_signed(fake: DeskFake) -> None:
    """The desk may order the release at once; the clerk counts the time itself."""
    identifier = _proposed(fake, minutes="60")
    page = fake.get(f"/policies/drafts/{identifier}").text
    assert "at least 60 minutes" in page
    assert b'"trial":"tried:3600"' in fake.get(f"/policies/drafts/{identifier}/statement").data
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    assert _do(fake, identifier, "try") == 303
    fake.clerk.round()
    fake.clock.advance(timedelta(seconds=3_599))
    assert _do(fake, identifier, "release") == 303
    fake.clerk.round()
    assert "3599 seconds" in fake.store.orders()[0].told
    assert read_current(fake.folder, fake.key.public_key())[0].sequence == 1
    fake.clock.advance(timedelta(seconds=1))
    assert _do(fake, identifier, "release") == 303
    fake.clerk.round()
    assert read_current(fake.folder, fake.key.public_key())[0].trial == "tried:3600"


def test_drafts_come_in_pages(fake: DeskFake) -> None:
    for number in range(MOST_DRAFTS + 2):
        fake.desk.begin(fake.reader(QIAN), f"Draft {number}")
    first = fake.get("/policies").text
    (older,) = re.findall(r'href="(\?before=[0-9a-f]+&amp;days=7)#drafts"', first)
    last = fake.get(f"/policies{html.unescape(older)}").text
    titles = [set(re.findall(r">Draft (\d+)</a>", page)) for page in (first, last)]
    assert [len(each) for each in titles] == [MOST_DRAFTS, 2]
    assert len(titles[0] | titles[1]) == MOST_DRAFTS + 2
    assert "Older drafts" not in last
    assert fake.get("/policies?before=nothing").status_code == 404


def test_nobody_signs_twice(fake: DeskFake) -> None:
    identifier = _proposed(fake)
    assert _sign(fake, identifier, QIAN) == 303
    assert _sign(fake, identifier, QIAN) == 409
    assert _do(fake, identifier, "release") == 409


def test_untried_needs_a_word_why_and_the_word_is_recorded(fake: DeskFake) -> None:
    identifier = _proposed(fake)
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    # What the desk says at the last moment counts for nothing.
    assert _do(fake, identifier, "release", without_shadow="INC-2026-17") == 303
    fake.clerk.round()
    assert "never tried" in fake.get(f"/policies/drafts/{identifier}").text
    assert read_current(fake.folder, fake.key.public_key())[0].sequence == 1
    another = _begun(fake)
    for wrong in ({"without_shadow": "because Wang Qiang said so"}, {"minutes": "-1"}, {"minutes": "9999999"}):
        assert _do(fake, another, "propose", **wrong) == 400
    assert _do(fake, another, "propose", without_shadow="INC-2026-17") == 303
    assert "The reason that is signed: INC-2026-17" in fake.get(f"/policies/drafts/{another}").text
    for name in (QIAN, SUN):
        assert _sign(fake, another, name) == 303
    assert _do(fake, another, "release") == 303
    fake.clerk.round()
    begun = [event for event in fake.recorder.events if event.type == "policy.released"][-2]
    assert begun.attributes["without_shadow"] == "INC-2026-17"
    assert read_current(fake.folder, fake.key.public_key())[0].sequence == 2


def test_the_clerk_believes_signatures_and_not_the_desk(fake: DeskFake) -> None:
    """Whoever takes the desk's tables over puts in order what they like, and nothing of it happens."""
    identifier = _proposed(fake)
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    before = (fake.folder / "current").read_bytes()
    stranger = base64.b64encode(Ed25519PrivateKey.generate().sign(b"x")).decode()
    for change in (
        "UPDATE policy_files SET content = content || '// evil' WHERE name = 'access.cedar'",
        "UPDATE policy_drafts SET sequence = sequence + 1",
        "DELETE FROM policy_signatures WHERE administrator = 'sun-0002'",
        "UPDATE policy_drafts SET sequence = 2, trial = 'untried:now'",
        "UPDATE policy_drafts SET trial = 'tried:1'",
        "UPDATE policy_drafts SET trial = 'nonsense'",
        "UPDATE policy_signatures SET signature = :stranger",
    ):
        with fake.store._database.transaction() as connection:
            connection.execute(text(change), {"stranger": stranger} if ":stranger" in change else {})
            order = "INSERT INTO policy_orders (draft, act, actor, at, without_shadow, state, told) VALUES"
            connection.execute(
                text(f"{order} (:draft, 'release', 'mallory', 0, 'now', 'waiting', '')"), {"draft": identifier}
            )
        assert fake.clerk.round() == 1
        assert fake.store.orders()[0].state == "refused"
        assert (fake.folder / "current").read_bytes() == before
    # Nor is anything tried that nobody signed.
    with fake.store._database.transaction() as connection:
        connection.execute(text("UPDATE policy_orders SET act = 'try', state = 'waiting' WHERE id = 7"))
    assert fake.clerk.round() == 1
    assert not (fake.folder / SHADOW).exists()


def test_whoever_is_taken_off_the_list_signed_nothing(fake: DeskFake) -> None:
    identifier = _proposed(fake, without_shadow="now")
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    assert _do(fake, identifier, "release") == 303
    del fake.administrators[SUN]
    fake.clerk.round()
    assert fake.store.orders()[0].state == "refused"
    assert _do(fake, identifier, "release") == 409


def test_a_site_that_names_nobody_orders_nothing(tmp_path: Path) -> None:
    fake = DeskFake(tmp_path, named=False)
    identifier = _proposed(fake)
    assert "names no security administrators" in fake.get("/policies").text
    for verb in ("try", "release"):
        assert _do(fake, identifier, verb) == 409
    assert fake.post("/policies/trial/end", {}).status_code == 409


def test_an_answer_that_did_not_arrive_is_given_again(fake: DeskFake) -> None:
    identifier = _proposed(fake, without_shadow="now")
    for name in (QIAN, SUN):
        assert _sign(fake, identifier, name) == 303
    assert _do(fake, identifier, "release") == 303
    assert fake.clerk.round() == 1
    with fake.store._database.transaction() as connection:
        connection.execute(text("UPDATE policy_orders SET state = 'waiting'"))
    assert fake.clerk.round() == 1
    [order] = fake.store.orders()
    assert (order.state, order.told) == ("done", read_current(fake.folder, fake.key.public_key())[0].version)
    assert read_current(fake.folder, fake.key.public_key())[0].sequence == 2


@pytest.mark.parametrize(
    "path",
    ["/policies/drafts/nothing", "/policies/drafts/%00", "/policies/versions?version=1-x&other=2-y",
     "/policies/drafts/nothing/replay", "/policies/drafts/nothing/statement"],
)  # fmt: skip
def test_what_is_not_there_is_told_so(fake: DeskFake, path: str) -> None:
    assert fake.get(path).status_code in {400, 404}


@pytest.mark.parametrize("days", ["0", "-1", "91", "x", "%EF%BC%91", "999999999"])
def test_days_are_a_number_that_makes_sense(fake: DeskFake, days: str) -> None:
    assert fake.get(f"/policies?days={days}").status_code == 400
