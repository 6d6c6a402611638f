# SPDX-License-Identifier: Apache-2.0
"""Policies at the birth of a site, and the engine as each role that decides loads it."""

import secrets
from collections.abc import Callable

from audit import Recorder
from core.config import ConfigurationError
from policies.bundle import JOURNAL, read_source, release
from policies.bundle import replay as replay_release
from policies.config import PolicySettings
from policies.keys import public_pem, read_policy_key, read_release_key
from policies.models import Decision, DecisionRequest
from policies.service import PolicyEngine

from ..context import Context
from ..files import replace, write_secret


def found(context: Context, recorder: Recorder) -> None:
    """Make the policy key and release the first policies.

    Raises:
        ConfigurationError: the folder with the policies cannot be read.
    """
    settings = context.settings("policies", PolicySettings)
    key_file = context.site.folder("policies") / "release.key"
    write_secret(key_file, secrets.token_bytes(32))
    key = read_release_key(key_file)
    replace(context.site.public / "policy-key.pem", public_pem(key))
    try:
        source = read_source(settings.source)
    except OSError as error:
        raise ConfigurationError(where="policies.source", why=error.strerror or "unreadable") from error
    release(
        context.site.public / "policies",
        source,
        key=key,
        journal=key_file.with_name(JOURNAL),
        recorder=recorder,
        at=context.clock.now(),
        actor="init",
    )


def replay(context: Context) -> str:
    """End a release that was cut off, and return its version; empty if there is none. The log must be running.

    Raises:
        BundleRefused: what is in force cannot be read.
        RecordUnavailable: it stays unfinished.
    """
    site = context.site
    journal = site.folder("policies") / JOURNAL
    if not journal.exists():
        return ""
    key = read_policy_key(site.public / "policy-key.pem")
    return replay_release(site.public / "policies", key=key, journal=journal, recorder=context.recorder("app"))


def without(context: Context) -> PolicyEngine:
    """An engine with no policies at all, which shows what is answered then."""
    key = read_policy_key(context.site.public / "policy-key.pem")
    return PolicyEngine(folder=context.site.public / "policies", key=key)


def engine(context: Context) -> PolicyEngine:
    """The policies in force, verified and tested again by whoever uses them.

    Raises:
        BundleRefused: there are none that the policy key signed.
        PoliciesUnusable: signed, but broken.
    """
    key = read_policy_key(context.site.public / "policy-key.pem")
    settings = context.settings("policies", PolicySettings)
    return PolicyEngine.load(
        context.site.public / "policies",
        key,
        administrators=settings.administrators,
        remembered=settings.remembered,
    )


def fresh(loaded: PolicyEngine) -> Callable[[DecisionRequest], Decision]:
    """Decide by the newest release; an unreadable one refuses rather than keep old rules."""

    def decide(request: DecisionRequest) -> Decision:
        loaded.reload()
        return loaded.decide(request)

    return decide
