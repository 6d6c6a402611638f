# SPDX-License-Identifier: Apache-2.0
"""The archive for whoever answers for an organisation: what it keeps, how it stands, each with its proof."""

import io
import secrets
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit import Event, Outcome, Recorder
from core.clock import Clock
from directory.models import Organisation

from ..archive import Archived, NoSuchArchived, NotResponsible, Outlook
from ..models import Verdict
from ..shelf import Shelved
from .archiving import Archiving
from .desk import Desk
from .responsible import Responsible

TOGETHER = 50
"""Documents that are listed at once."""
_PROOF = """\
{name}
SHA-256 {sha256}

This PDF carries its signatures, what their issuers said, and {stamps} archive time-stamps. Any program that knows PAdES
(ETSI EN 319 142-1) checks it; roots.pem holds the roots to trust. Time-stamps of another algorithm stand beside it, one
file each (RFC 3161, DER), over what the archive time-stamp of the same number is over:

本 PDF 内含其签名、签发机构的状态信息以及 {stamps} 个归档时间戳。任何支持 PAdES（ETSI EN 319 142-1）的程序均可
核验；roots.pem 为应信任的根证书。另一种算法的时间戳各存一个文件（RFC 3161，DER），所覆盖的内容与同一序号的归档
时间戳相同：

"""  # noqa: RUF001 - Chinese punctuation


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One document on the page."""

    archived: Archived
    name: str
    outlook: Outlook


class ArchiveDesk:
    """Takes in, shows and hands out; whoever a document does not concern is told that there is none."""

    def __init__(
        self,
        *,
        archiving: Archiving,
        desk: Desk,
        responsible: Responsible,
        roots: Callable[[], Sequence[str]],
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        """``roots`` are those from which whoever gets a document starts, PEM."""
        self._archiving = archiving
        self._desk = desk
        self._responsible = responsible
        self._roots = roots
        self._recorder = recorder
        self._clock = clock

    def organisations(self, subject: str) -> list[Organisation]:
        """Those for whose documents a person answers."""
        return self._responsible.organisations(subject)

    def waiting(self, subject: str) -> list[Shelved]:
        """Documents of the person that carry a signature, so that they can be put into the archive."""
        return [each for each in self._desk.all_of(subject) if each.facts.signatures]

    def deposit(self, subject: str, document: str, *, organisation: str) -> Archived:
        """Put one of the person's documents into the archive of an organisation; a refusal is recorded too.

        Raises:
            NotResponsible: they do not answer for it.
            NoSuchDocument: it is not theirs.
            NotArchivable and others: as ``Archiving.deposit``.
        """
        if organisation not in {each.id for each in self.organisations(subject)}:
            self._recorder.record(
                Event(
                    key=secrets.token_hex(16),
                    type="signature.archive.refused",
                    outcome=Outcome.DENIED,
                    at=self._clock.now(),
                    source="signatures",
                    subject=subject,
                    organisation=organisation,
                    attributes={"code": NotResponsible.code},
                )
            )
            raise NotResponsible
        kept = self._desk.one(subject, document)
        return self._archiving.deposit(
            f"person:{subject}",
            self._desk.read(subject, document),
            name=kept.facts.name,
            organisation=organisation,
        )

    def listed(self, organisation: Organisation, *, before: tuple[datetime, str] | None) -> list[Listed]:
        """What an organisation keeps, the newest first, one more than are shown at once."""
        found = self._archiving.of(organisation.id, before=before, limit=TOGETHER + 1)
        return [self._shown(each) for each in found]

    def one(self, subject: str, identifier: str) -> Listed:
        """One document, for whoever answers for it.

        Raises:
            NoSuchArchived: there is none, or it does not concern them.
        """
        return self._shown(self._found(subject, identifier))

    def judged(self, listed: Listed) -> Verdict:
        """What the site says of it at this moment."""
        return self._archiving.judged(listed.archived)

    def packed(self, subject: str, identifier: str) -> bytes:
        """A document with its proof, as one ZIP file; on the record first.

        Raises:
            NoSuchArchived: as ``one``.
        """
        archived = self._found(subject, identifier)
        name = self._archiving.name(archived).removesuffix(".pdf") + ".pdf"
        document, beside = self._archiving.packed(archived, reader=subject)
        said = _PROOF.format(name=name, sha256=archived.sha256, stamps=archived.stamps)
        said += "".join(f"beside-{each.number}.tst  SHA-256 {each.digest}  {each.at.isoformat()}\n" for each in beside)
        content = {
            name: document,
            "proof.txt": said.encode(),
            "roots.pem": "".join(self._roots()).encode(),
            **{f"beside-{each.number}.tst": each.token for each in beside},
        }
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as box:
            for each, data in content.items():
                # A date that says nothing: the same packs to the same bytes.
                box.writestr(zipfile.ZipInfo(each), data)
        return whole.getvalue()

    def _found(self, subject: str, identifier: str) -> Archived:
        for each in self.organisations(subject):
            try:
                return self._archiving.answered_for(each.id, identifier)
            except NoSuchArchived:
                continue
        raise NoSuchArchived

    def _shown(self, archived: Archived) -> Listed:
        return Listed(archived=archived, name=self._archiving.name(archived), outlook=self._archiving.outlook(archived))
