# SPDX-License-Identifier: Apache-2.0
"""Composes who keeps seals, and the orders that wait for a second keeper."""

from collections.abc import Callable

from audit import Recorder
from signatures.config import SignatureSettings
from signatures.keeping import KeepingStore
from signatures.remote import Asking, RemoteStore
from signatures.sandbox import ReaderPool
from signatures.service import Confirming, Desk, Keepers, Once, Permission, Sealing, Seconding
from signatures.shelf import Shelf

from ..context import Context
from .signing_client import client_key
from .willing import sign_on_keys

ROLE, HOST = "signatures", "sign"


def two_keepers(
    context: Context,
    settings: SignatureSettings,
    *,
    store: KeepingStore,
    sealing: Sealing,
    permission: Permission,
    once: Once,
    desk: Desk,
    shelf: Shelf,
    readers: ReaderPool,
    recorder: Recorder,
    nudge: Callable[[], None],
) -> tuple[Seconding, Keepers]:
    """What takes orders, and what names and changes the keepers; the orders' replay begins when they lead somewhere."""
    orders = Seconding(
        store=store,
        sealing=sealing,
        permission=permission,
        once=once,
        desk=desk,
        shelf=shelf,
        readers=readers,
        recorder=recorder,
        nudge=nudge,
        clock=context.clock,
        address=lambda order: f"{context.site.origin(HOST)}/my/orders/{order}",
    )
    keepers = Keepers(
        store=store,
        people=context.directory(ROLE),
        recorder=recorder,
        nudge=nudge,
        clock=context.clock,
        mandate=settings.mandate,
    )
    return orders, keepers


def sign_on(context: Context) -> Asking:
    """The sign-on, as people are sent there to confirm what they sign or seal."""
    return Asking(
        issuer=context.site.origin("sso"),
        callback=f"{context.site.origin(HOST)}/my/callback",
        roots=context.site.anchors,
        key=client_key(context),
        clock=context.clock,
    )


def confirming(
    context: Context,
    settings: SignatureSettings,
    *,
    store: RemoteStore,
    orders: Seconding,
    asking: Asking,
    recorder: Recorder,
) -> Confirming:
    """What keepers confirm at sign-on."""
    people = context.directory(ROLE)

    def names(organisation: str) -> tuple[str, str]:
        found = people.organisation(organisation)
        return found.name or found.name_zh, found.name_zh or found.name

    return Confirming(
        store=store,
        orders=orders,
        asking=asking,
        keys=lambda: sign_on_keys(context),
        names=names,
        recorder=recorder,
        clock=context.clock,
        audience=context.site.origin(HOST),
        patience=settings.confirm_within,
    )
