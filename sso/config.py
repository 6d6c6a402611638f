# SPDX-License-Identifier: Apache-2.0
"""The ``[sso]`` section; every field has a default that suits a city."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

# What portals and the site's own roles may keep of the list, and every worker's next look at the keys.
_KEYS_CACHED = timedelta(minutes=10)
_LEVELS = 3


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings:
    """``[sso.upstream]``: one other OpenID provider that the site has an agreement with; none without ``issuer``."""

    # Its issuer, to the letter; its metadata lie below it.
    issuer: str = ""
    # What it knows this site as. It must know the keys at our ``/jwks`` for ``private_key_jwt``, and our address
    # ``/login/upstream``; ``/login/upstream/ended`` is where it may say that somebody logged out.
    client_id: str = ""
    # What people call it.
    title: str = ""
    title_zh: str = ""
    # Who may come by it: a kind of person, or a role.
    population: str = "citizen"
    # The highest level that was agreed on, 1 to 3.
    highest: int = 2
    # The claim of its ID tokens whose value was agreed on as identifier; never an address of mail.
    claim: str = "sub"
    # What it calls the levels, lowest first.
    acr_values: tuple[str, ...] = ("1", "2", "3")

    def __post_init__(self) -> None:
        if self.issuer and not (self.issuer.startswith("https://") and self.client_id and self.title):
            raise ValueError("issuer must begin with https:// and needs client_id and title")
        if not 1 <= self.highest <= len(self.acr_values) <= _LEVELS:
            raise ValueError("highest must be one of the levels in acr_values, of which there are three at most")
        if self.claim in ("email", "phone_number", "preferred_username", "name"):
            raise ValueError("claim must not be one that its person chooses")


@dataclass(frozen=True, kw_only=True)
class SSOSettings:
    """How long things live and how often a door may be knocked at."""

    # An authorization code; RFC 6749 allows ten minutes, a redirect needs seconds.
    code_lifetime: timedelta = timedelta(seconds=60)
    # A pushed request waits so long for its browser.
    pushed_lifetime: timedelta = timedelta(seconds=90)
    # A device's codes: the time its person has for typing the short one and deciding.
    device_lifetime: timedelta = timedelta(minutes=10)
    # Short codes one person may type, right or wrong, and times one short code may be typed, before waiting begins.
    user_codes_free: int = 6
    # Short codes typed from one network before waiting begins.
    user_codes_network_free: int = 60
    # Wrong pairs of user name and code one person may enter, to let somebody act, before waiting begins.
    mandate_codes_free: int = 6
    # Devices of one application that may ask from one network before waiting begins.
    devices_free: int = 60
    # Registrations with one initial access token, and from one network, before waiting begins.
    registrations_free: int = 30
    # Registrations one person may ask for at the desk in a day before waiting begins.
    applications_free: int = 40
    # Answers of the simulator to one network before waiting begins.
    simulations_free: int = 1000
    # Whether signed requests may be fetched from addresses that are not public, because the clients' network is not.
    fetch_private: bool = False
    # Access and ID tokens. Who checks them offline learns of a revocation this much later at most.
    token_lifetime: timedelta = timedelta(minutes=5)
    # Days after which the key that signs tokens changes by itself; 0: only by “tallygate sso rotate-keys”.
    key_days: int = 90
    # A new key is known so long before it signs, and an old one believed so long after: longer than any token lives and
    # any portal keeps the list of keys.
    key_overlap: timedelta = timedelta(days=1)
    # A public client that did not hear the answer to its refresh may ask again for so long, and is told the same;
    # whoever comes later with a token that was exchanged ends the family.
    refresh_grace: timedelta = timedelta(seconds=10)
    # A session nobody uses.
    session_idle: timedelta = timedelta(minutes=30)
    # A session in any case.
    session_lifetime: timedelta = timedelta(hours=10)
    # A parked request: the time somebody has for logging in.
    interaction_lifetime: timedelta = timedelta(minutes=15)
    # A card login's way back from the card host.
    handover_lifetime: timedelta = timedelta(seconds=60)
    # Consent is asked for again after this.
    consent_lifetime: timedelta = timedelta(days=365)
    # Wrong passwords for one name from one network before waiting begins.
    attempts_free: int = 4
    # Wrong passwords from one network, whatever the names, before waiting begins.
    network_free: int = 60
    # Wrong passwords at one application in one hour, from wherever they come, before waiting begins. Known browsers
    # do not wait with the others.
    client_logins_free: int = 3000
    # The first wait; each further failure doubles it.
    wait_first: timedelta = timedelta(seconds=2)
    # No wait is longer, so that nobody is locked out for good.
    wait_longest: timedelta = timedelta(minutes=15)
    # Wrong one-time codes for one person, from wherever they come, before waiting begins.
    codes_free: int = 5
    # Failures older than this are forgotten.
    attempts_memory: timedelta = timedelta(hours=1)
    # Logout tokens that one application is sent in an hour, at most.
    goodbyes_hourly: int = 20_000
    # What people log in with is changed only so shortly after a login.
    fresh_login: timedelta = timedelta(minutes=5)
    # A browser is known so long after its last login.
    browser_lifetime: timedelta = timedelta(days=180)
    # Wrong passwords before a right one, from which on its person is asked whether it was them.
    suspicious_failures: int = 5
    # Own password changes with a wrong present one, and ways back asked for one name, before waiting begins.
    passwords_free: int = 4
    recoveries_free: int = 3
    # Ways back asked from one network before waiting begins.
    recoveries_network_free: int = 30
    # A mailed link, and each step after it.
    recovery_link: timedelta = timedelta(minutes=30)
    # Who lost their second factor too, or was proofed face to face, waits so long and can stop it meanwhile.
    recovery_cooling: timedelta = timedelta(days=3)
    # After waiting, the second link is good for so long.
    recovery_ready: timedelta = timedelta(days=3)
    # The file with the password of the mail server, if this role cannot read the one of ``[ca.notices]``.
    mail_password: Path | None = None
    # Passkeys of one person.
    passkeys_most: int = 10
    # Set up after a login by password alone, a second factor is in force after this; its owner is told meanwhile.
    factor_cooling: timedelta = timedelta(days=3)
    # Another provider by which people may log in; a table of its own.
    upstream: UpstreamSettings = field(default_factory=UpstreamSettings)

    def __post_init__(self) -> None:
        if self.key_days < 0:
            raise ValueError("key_days cannot be negative")
        if self.key_overlap < self.token_lifetime + _KEYS_CACHED:
            raise ValueError("key_overlap must be ten minutes longer than token_lifetime")
        if self.key_days and timedelta(days=self.key_days) < 2 * self.key_overlap:
            raise ValueError("key_days must be twice as long as key_overlap, or keys would pile up")
