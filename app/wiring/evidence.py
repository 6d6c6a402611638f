# SPDX-License-Identifier: Apache-2.0
"""Composes evidence: the record makes the file, the role signatures seals its report; neither knows the other."""

from collections.abc import Callable, Sequence

from audit.config import AuditSettings
from audit.evidence import Desk, Kept, Site, Token, Waiting
from audit.models import Recorder
from audit.seals import Seals, SealStore
from audit.stamps import Stamper, StampSeries, StampStore
from core.calls import Peer
from signatures.client import SignatureClient
from signatures.errors import SecondAsked
from signatures.models import SealOrder

from ..context import Context
from .lineage import every_key, every_reader

_FOLDER = "evidence"
# A report of a thousand entries takes a moment to seal. Witnesses (20 s), authority (10 s), and this together must end
# before the gateway's patience (60 s) does.
_PATIENCE = 20.0


def desk(context: Context, *, recorder: Recorder, stamps: StampSeries | None, stampers: Sequence[Stamper]) -> Desk:
    """Where evidence files are made; ``stampers`` are those of the logs, oldest first, or none."""
    folder, settings = context.site.folder("audit"), context.settings("audit", AuditSettings)
    every = list(zip(every_reader(context), every_key(context), strict=True))
    policy = settings.witness_policy
    logs = [
        Kept(
            base=log.base,
            log=log.reader,
            keys=keys,
            stamped=_stamped(stamps.logs[number].store if stamps else None),
            stamp=stampers[number].now if stampers else None,
            # Witnesses are asked about the log that is written.
            grows=number == len(every) - 1,
        )
        for number, (log, keys) in enumerate(every)
    ]
    return Desk(
        logs=logs,
        seals=Seals(SealStore.open(folder / "seals.db")),
        site=Site(
            name=" · ".join(dict.fromkeys((context.site.title, context.site.title_zh))),
            policy=policy.read_text("utf-8") if policy else "",
            font=settings.evidence_font,
            font_face=settings.evidence_font_face,
        ),
        recorder=recorder,
        clock=context.clock,
        folder=folder / _FOLDER,
        seal=seal_of(context, settings.evidence_seal) if settings.evidence_seal else None,
    )


def _stamped(stamps: StampStore | None) -> Callable[[int], Token | None]:
    def covering(size: int) -> Token | None:
        found = stamps.covering(size) if stamps else None
        if found is None:
            return None
        return Token(note=found.note, token=found.token, at=found.at, authority=found.authority)

    return covering


def seal_of(context: Context, organisation: str) -> Callable[[bytes, str, str], bytes | Waiting]:
    """The organisation's seal, asked for with the header the officer came with; or where a second keeper is awaited."""
    site = context.site

    def ask(document: bytes, header: str, reference: str) -> bytes | Waiting:
        secret = site.pair_secret(holder="audit", caller="audit", callee="signatures")
        peer = Peer(path=site.socket("signatures"), caller="audit", secret=secret, timeout=_PATIENCE)
        try:
            order = SealOrder(
                document=document,
                organisation=organisation,
                caller="audit",
                unverified_identity=header,
                reference=reference,
            )
            return SignatureClient(peer).seal(order)
        except SecondAsked as asked:
            return Waiting(asked.address)
        finally:
            peer.close()

    return ask
