# SPDX-License-Identifier: Apache-2.0
"""One process of a race: ``python -m tests.sso.racing DATABASE THREADS`` prints the kind of every value it won."""

import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from audit import Event, Outcome
from core.db import Database
from sso.models import Code, DeviceCode, RefreshToken
from sso.store import Store
from tests.fakes.clock import ManualClock

AT = 1000
REFRESH = RefreshToken(digest="refresh", grant_id="grant", client_id="tax", expires_at=AT * 9)
_CODE = Code(
    digest="code", grant_id="other", client_id="tax", redirect_uri="u", challenge="c", expires_at=AT * 9, used=False
)

DEVICE = DeviceCode(
    digest="device",
    user_digest="short",
    client_id="tax",
    scopes=frozenset({"openid"}),
    resources=frozenset(),
    details="",
    jkt="",
    network="",
    agent="",
    asked_at=AT,
    expires_at=AT * 9,
    interval=5,
    state="granted",
    grant_id="other",
)


def issued() -> Event:
    """The outcome of a redemption."""
    return _event("sso.token.issued", object_="grant", client="tax")


def ended() -> Event:
    """The end of a session."""
    return _event("sso.session.ended")


def _event(kind: str, *, object_: str = "", **attributes: str) -> Event:
    return Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=Outcome.SUCCESS,
        at=ManualClock().now(),
        source="sso",
        subject="li",
        object=object_,
        attributes=attributes,
    )


def _opened(store: Store) -> bool:
    """Use the link that was mailed, as a browser of its own."""
    found = store.recoveries.by_link("link", AT)
    used = {"link": "", "browser": secrets.token_hex(8)}
    return found is not None and store.recoveries.move(found, "opened", AT, changed=used)


def _say(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()


def _main(address: str, threads: int) -> None:
    database = Database.open(address, connections=threads)
    store = Store(database)
    fresh = replace(REFRESH, digest=f"of code {secrets.token_hex(8)}", grant_id="other")
    successor = replace(REFRESH, digest=f"next {secrets.token_hex(8)}")
    of_device = replace(REFRESH, digest=f"of device {secrets.token_hex(8)}", grant_id="other")
    attempts: dict[str, Callable[[], bool]] = {
        "code": lambda: store.codes.consume(_CODE, refresh=fresh, at=AT, outcome=issued()),
        "refresh": lambda: store.refresh_tokens.consume(REFRESH, successor=successor, at=AT, outcome=issued()),
        "device": lambda: store.devices.consume(DEVICE, refresh=of_device, at=AT, outcome=issued()),
        "pushed": lambda: store.pushed.consume("pushed", "tax", AT) is not None,
        "assertion": lambda: store.assertions.consume("jti", AT * 9),
        "recovery": lambda: _opened(store),
        "proof": lambda: store.proofs.consume("jti", AT * 9),
    }
    won: list[str] = []

    def try_all() -> None:
        for kind, attempt in attempts.items():
            if attempt():
                won.append(kind)

    store.check()
    _say("ready\n")
    sys.stdin.readline()
    together = [threading.Thread(target=try_all) for _ in range(threads)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    _say(" ".join(won))
    database.close()


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
