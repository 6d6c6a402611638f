# SPDX-License-Identifier: Apache-2.0
"""The thirty bug classes that providers of the last years fell to, and where each is tried on us.

The table is read against the tests themselves, so none of them is renamed or removed unnoticed.
"""

import ast
import base64
import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.sso.conftest import World, make_world

ROOT = Path(__file__).parents[2]
TABLE = """
1 one-time values without a type
  sso/test_tokens: test_every_one_time_value_is_refused_at_every_other_place
  sso/test_once: test_no_kind_of_one_time_value_passes_for_another
  sso/test_exchange: test_bug_class_1_no_other_value_is_exchanged
  sso/test_requests: test_bug_class_1_no_other_value_is_a_pushed_request
2 a code that is not bound to its client
  sso/test_tokens: test_a_code_is_bound_to_its_client
  sso/test_tokens: test_a_refresh_token_is_bound_to_its_client
  sso/test_client_authentication: test_each_client_has_one_way
  sso/test_requests: test_bug_class_2_a_pushed_request_is_its_clients
  sso/test_devices: test_a_device_code_ends_with_what_it_rests_on
3 redemption races
  sso/test_once: test_fifty_redemptions_over_several_processes_give_exactly_one_success
  sso/test_tokens: test_fifty_parallel_redemptions_give_one_token
  sso/test_tokens: test_fifty_parallel_refreshes_of_a_public_client_give_one_successor
  sso/test_requests: test_bug_class_3_fifty_browsers_take_one_pushed_request
  sso/test_dpop: test_a_proof_counts_once_of_fifty
4 session fixation and login CSRF
  sso/test_login: test_the_session_cookie_is_new_at_every_login_and_planted_ones_are_ignored
  sso/test_journeys: test_step_up_keeps_the_session_under_a_new_cookie
  sso/test_upstream: test_an_answer_counts_once_in_its_own_browser_for_its_own_question
  sso/test_upstream: test_a_link_belongs_to_the_session_that_began_it
  sso/test_step_up: test_a_code_alone_makes_a_password_session_surer_and_is_no_login
  sso/test_step_up: test_it_satisfies_neither_prompt_nor_max_age_in_any_tab
  sso/test_authorization: test_a_parked_request_works_only_in_the_browser_that_began_it
  sso/test_login: test_nothing_is_changed_by_get
  sso/test_devices: test_nothing_is_decided_by_get_or_without_a_session
5 replay of links that act
  sso/test_login: test_a_handover_works_once_in_its_own_browser_and_for_a_minute
  sso/test_login: test_a_ticket_works_once
  sso/test_passkeys: test_an_answer_counts_once
  sso/test_upstream: test_a_logout_there_ends_what_was_opened_by_it_once
  sso/test_step_up: test_nobody_elses_passkey_and_no_answer_twice
  sso/test_registration: test_only_whoever_was_invited_registers_and_only_so_often
  sso/test_recovery: test_a_link_works_once_and_in_one_browser
  sso/test_recovery: test_a_link_dies_with_time_a_new_password_and_a_disabled_person
  sso/test_recovery: test_links_and_steps_of_other_kinds_are_no_links
  sso/test_once: test_fifty_redemptions_over_several_processes_give_exactly_one_success
6 recovery walked out of order
  sso/test_recovery: test_no_step_is_left_out
  sso/test_recovery: test_a_worker_that_dies_while_it_sets_the_password_leaves_a_way_on
  sso/test_recovery: test_another_name_in_between_changes_nobody_elses_password
  sso/test_recovery: test_whoever_lost_their_factor_too_waits_and_then_it_is_gone
  sso/test_factors_codes: test_the_login_for_a_change_cannot_be_skipped
  sso/test_factors_codes: test_paper_is_of_one_person_and_goes_with_the_app
  sso/test_factors_codes: test_a_key_is_set_up_in_its_own_session_and_in_time
7 a lockout that a sibling grant does not know
  sso/test_tokens: test_whatever_was_taken_away_every_redemption_refuses
  sso/test_devices: test_a_device_code_ends_with_what_it_rests_on
  sso/test_exchange: test_it_lasts_no_longer_and_ends_with_its_family
  sso/test_step_up: test_guesses_count_where_all_codes_of_a_person_count
  sso/test_step_up: test_disabled_midway_nothing_is_raised
  sso/test_passkeys: test_the_disabled_have_no_use_of_it
8 algorithm confusion
  sso/test_oauth_keys: test_no_other_algorithm_is_believed
  sso/test_oauth_keys: test_the_public_key_is_no_secret_for_hmac
  sso/test_client_authentication: test_bug_class_8_algorithm_confusion
  sso/test_requests: test_bug_class_8_algorithm_confusion
  sso/test_dpop: test_bug_class_8_and_10_wrong_algorithms_and_keys
  sso/test_openid: test_a_hint_that_is_no_id_token_of_this_client_is_refused
  sso/test_upstream: test_keys_and_algorithms_are_the_providers_own
9 unknown critical extensions
  sso/test_oauth_keys: test_a_header_that_asks_for_anything_more_is_refused
  sso/test_client_authentication: test_bug_class_9_unknown_critical_extensions
  sso/test_requests: test_bug_classes_9_and_10_headers_that_bring_things
  sso/test_bug_classes: test_bug_class_9_minimum_versions_are_pinned
10 keys taken from the token
  sso/test_oauth_keys: test_a_key_that_travels_with_the_token_is_not_used
  sso/test_client_authentication: test_bug_class_10_keys_from_the_token
11 hash checks that fail open
  sso/test_bug_classes: test_bug_class_11_the_hash_of_the_access_token_is_there
12 slips of issuer and audience
  sso/test_oauth_keys: test_the_issuer_is_one_exact_string
  sso/test_client_authentication: test_bug_class_12_issuer_and_date_slips
  gateway/test_tokens: test_a_token_with_a_wrong_claim_is_refused
  sso/test_upstream: test_an_id_token_that_says_anything_else_opens_nothing
13 audience injection
  sso/test_client_authentication: test_bug_class_13_audience_injection
14 matching of addresses
  sso/test_authorization: test_an_address_that_is_not_registered_to_the_letter_is_never_redirected_to
  sso/test_registration: test_an_address_that_could_be_read_in_two_ways_is_not_registered
  sso/test_bug_classes: test_bug_class_14_of_hundreds_of_twisted_addresses_none_is_taken_for_the_registered_one
15 redirection before the check
  sso/test_authorization: test_an_unknown_client_is_never_redirected
  sso/test_requests: test_bug_class_15_a_bad_object_never_leads_anywhere_uncertain
  sso/test_bug_classes: test_bug_class_15_nothing_uncertain_is_redirected_in_any_response_mode
16 scripts in what others register or send
  sso/test_authorization: test_hostile_state_and_names_stay_text_on_every_page
  sso/test_registration: test_names_that_are_hostile_are_shown_as_text
  sso/test_requests: test_bug_class_16_hostile_details_stay_text
17 mass assignment
  sso/test_registration: test_what_only_the_site_decides_cannot_be_registered
  sso/test_registration: test_a_change_can_neither_widen_nor_become_somebody_else
18 opaque values that can be changed
  sso/test_tokens: test_a_changed_byte_makes_every_opaque_value_worthless
  sso/test_tokens: test_a_changed_byte_makes_every_signed_token_worthless
  sso/test_authorization: test_a_parked_request_can_be_neither_read_nor_changed
19 a gateway that fails open
  gateway/test_request: test_a_cookie_that_was_never_ours_identifies_nobody
  gateway/test_nginx: test_headers_only_the_boundary_may_set_never_come_from_a_client
20 abuse of the logout
  sso/test_account: test_any_other_logout_request_asks_and_ends_nothing
  sso/test_account: test_logging_out_leads_only_to_registered_addresses
  sso/test_account: test_nobody_ends_another_persons_session
21 mix-up of providers
  sso/test_authorization: test_a_mistake_is_told_to_the_client_with_issuer_and_state
  sso/test_requests: test_a_code_and_an_error_come_signed
  sso/test_upstream: test_mix_up_and_answers_that_are_none
22 PKCE downgrade
  sso/test_tokens: test_a_redemption_must_match_in_everything
23 proof of possession
  sso/test_dpop: test_a_proof_for_another_request_or_time
  sso/test_dpop: test_a_bound_token_is_nothing_without_its_key
  sso/test_dpop: test_a_public_clients_refresh_token_keeps_its_key
  sso/test_client_authentication: test_bug_class_23_a_certificate_header_from_outside_the_proxy
  sso/test_client_authentication: test_bug_class_23_a_bound_token_works_with_its_certificate_only
24 tokens that cost too much
  sso/test_client_authentication: test_bug_class_24_odd_assertions_cost_nothing
  sso/test_client_authentication: test_bug_class_24_deep_and_doubled_json
  sso/test_oauth_keys: test_what_is_no_token_costs_nothing_and_is_refused
  sso/test_bug_classes: test_bug_class_24_nothing_encrypted_is_taken_anywhere
25 requests that we are talked into
  core/test_fetching: test_an_address_that_is_not_public_is_never_asked
  core/test_fetching: test_what_lies_there_is_read_to_its_end_and_no_further
  sso/test_requests: test_an_object_is_fetched_from_its_registered_address_only
  sso/test_registration: test_a_sector_is_fetched_by_the_guarded_way_and_must_name_every_address
26 injection into the directory, empty passwords
  directory/test_reading: test_filter_characters_are_searched_for_literally
  directory/test_reading: test_an_empty_password_never_reaches_the_server
  directory/test_referrals: test_a_referral_in_the_tree_is_passed_over
27 telling who exists
  sso/test_recovery: test_every_name_is_answered_alike
  sso/test_recovery: test_asking_is_limited_for_known_and_unknown_names_alike
  sso/test_login: test_unknown_locked_disabled_and_wrong_are_told_alike
  sso/test_upstream: test_people_outside_the_population_and_the_disabled_are_refused_alike
28 guessing short codes, yes to somebody else's device
  sso/test_devices: test_guesses_of_short_codes_cost_time_for_a_person_and_are_recorded
  sso/test_devices: test_many_who_type_one_code_wait_for_it_together
  sso/test_devices: test_a_decision_counts_in_the_session_that_saw_the_device_and_once
29 addresses of ours from headers
  sso/test_recovery: test_a_lost_password_is_set_anew_by_a_mailed_link
  sso/test_requests: test_bug_class_29_no_address_of_ours_comes_from_a_header
  sso/test_journeys: test_discovery_names_this_issuer_whatever_the_host_header_says
30 SAML
  sso/test_bug_classes: test_bug_class_30_no_saml_is_spoken
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For what changes nothing."""
    made = make_world(tmp_path_factory.mktemp("sso"))
    yield made
    made.database.close()


def _tests_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _read() -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    number = 0
    for line in TABLE.strip().splitlines():
        if line.startswith("  "):
            file, _, name = line.strip().partition(": ")
            found[number].append((file, name))
        else:
            number = int(line.partition(" ")[0])
            found[number] = []
    return found


def test_every_class_is_tried_by_tests_that_exist() -> None:
    named = _read()
    assert sorted(named) == list(range(1, 31))
    assert all(named.values())
    known = {file: _tests_in(file) for file in {file for tests in named.values() for file, _ in tests}}
    lost = [(number, file, name) for number, tests in named.items() for file, name in tests if name not in known[file]]
    assert not lost


def test_bug_class_9_minimum_versions_are_pinned() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    least = {name.lower(): version for name, _, version in (each.partition(">=") for each in wanted)}

    def number(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in least[name].split(".")[:3])

    assert number("authlib") >= (1, 7, 2)
    assert number("pyjwt") >= (2, 12)
    assert number("joserfc") >= (1, 6, 1)


def test_bug_class_11_the_hash_of_the_access_token_is_there(world: World) -> None:
    told = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    claims = jwt.decode(told["id_token"], options={"verify_signature": False})
    half = hashlib.sha256(told["access_token"].encode()).digest()[:16]
    # Computed by ourselves: the algorithm is fixed, so there is no unknown one that could pass.
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert jwt.get_unverified_header(told["id_token"])["alg"] == "ES256"


def _twists(uri: str) -> set[str]:
    scheme, host, path = "https", uri.removeprefix("https://").partition("/")[0], "/" + uri.split("/", 3)[3]
    name, _, port = host.partition(":")
    hosts = [
        *(f"{user}@{host}" for user in ("u", "u:p", "a@b", "evil.example", "%40")),
        *(
            f"{host}{tail}"
            for tail in ("@evil.example", ".evil.example", "\\@evil.example", "%2eevil.example", "%00", " ")
        ),
        *(f"{front}{host}" for front in ("evil-", "www.", "\\", "%2f", " ", "\t", "\u3002")),
        name.upper() + f":{port}",
        f"{name}.:{port}",
        name,
        f"{name}:0{port}",
        f"{name}:443",
        f"{name}:",
        "[::ffff:127.0.0.1]:8443",
        "127.0.0.1:8443",
        "localhost:8443",
        name.replace("a", "\u0430") + f":{port}",
        name.replace(".", "\uff0e") + f":{port}",
    ]
    paths = [
        *(
            f"{path}{tail}"
            for tail in ("/", "//", "/.", "/..", "/..;/x", ";x", "?", "?x=1", "#", "#x", "%20", "%00", " ", "\\")
        ),
        *(
            f"{front}{path}"
            for front in ("/", "/.", "/x/..", "/x/..;", "/%2e%2e", "\\", "/%5c", "%2f", ";", "@evil.example")
        ),
        path.upper(),
        path.replace("c", "%63", 1),
        path.replace("c", "%2563", 1),
        path[:-1],
        path[1:],
        "",
        "/",
    ]
    schemes = ["http", "HTTPS", "Https", "javascript", "JavaScript", "data", "app", "", "https:", " https", "https\n"]
    return (
        {f"{scheme}://{each}{path}" for each in hosts}
        | {f"{scheme}://{host}{each}" for each in paths}
        | {f"{each}://{host}{path}" for each in schemes}
        | {f"{scheme}://{each}{other}" for each in hosts[:9] for other in paths[:16]}
        | {
            f"//{host}{path}",
            f"{scheme}:{host}{path}",
            f"{scheme}:///{host}{path}",
            f"{scheme}:\\\\{host}{path}",
            path,
            "*",
        }
    )


def test_bug_class_14_of_hundreds_of_twisted_addresses_none_is_taken_for_the_registered_one(world: World) -> None:
    twists = _twists(world.callback("tax")) - {world.callback("tax")}
    assert len(twists) > 200
    browser = world.browser()
    for twist in sorted(twists):
        answer = browser.authorize("tax", redirect_uri=twist)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None), twist


@pytest.mark.parametrize("mode", ["query", "form_post", "jwt", "query.jwt", "form_post.jwt", "fragment", "x"])
def test_bug_class_15_nothing_uncertain_is_redirected_in_any_response_mode(world: World, mode: str) -> None:
    wrong = [
        {"client_id": "nobody"},
        {"client_id": "-"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "-"},
        {"client_id": "machine"},
        {"client_id": "kiosk", "redirect_uri": "https://evil.example/callback"},
        {"request": "a.b.c", "redirect_uri": "https://evil.example/callback"},
        {"request_uri": "https://evil.example/object", "redirect_uri": "https://evil.example/callback"},
    ]
    for change in wrong:
        answer = world.browser().authorize("tax", **{"response_mode": mode, **change})
        assert (answer.status_code, answer.headers.get("Location")) == (400, None), change
        assert "<form" not in answer.text


def test_bug_class_24_nothing_encrypted_is_taken_anywhere(world: World) -> None:
    bomb = ".".join(["eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0", "", "AAAA", "A" * 4000, "AAAA"])
    pbes = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJwMmMiOjIxNDc0ODM2NDcsInAycyI6IkFBQUEiLCJlbmMiOiJBMTI4R0NNIn0.A.A.A.A"
    for token in (bomb, pbes):
        assert world.bearer(token).status_code == 401
        answer = world.app.test_client().post(
            "/introspect", base_url=world.issuer, data={"token": token}, headers=world.basic("tax")
        )
        assert answer.get_json() == {"active": False}
        assert "error" in answer_of(world, id_token_hint=token)
        assert "error" in answer_of(world, request=token)


def answer_of(world: World, **changes: str) -> str:
    """What the authorization endpoint answers."""
    answer = world.browser().authorize("tax", **changes)
    return answer.location or answer.text


def test_bug_class_30_no_saml_is_spoken(world: World) -> None:
    rules = [rule.rule.lower() for rule in world.app.url_map.iter_rules()]
    assert not [rule for rule in rules if "saml" in rule]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert not [each for each in wanted if "saml" in each.lower()]
