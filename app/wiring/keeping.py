# SPDX-License-Identifier: Apache-2.0
"""Composes who keeps seals, and the orders that wait for a second keeper."""

from collections.abc import Callable

from audit import Recorder
from signatures.config import SignatureSettings
from signatures.keeping import KeepingStore
from signatures.sandbox import ReaderPool
from signatures.service import Desk, Keepers, Once, Permission, Sealing, Seconding
from signatures.shelf import Shelf

from ..context import Context

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
    """What takes orders, having ended what a death left; and what names and changes the keepers."""
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
    orders.replay()
    keepers = Keepers(
        store=store,
        people=context.directory(ROLE),
        recorder=recorder,
        nudge=nudge,
        clock=context.clock,
        mandate=settings.mandate,
    )
    return orders, keepers
