# SPDX-License-Identifier: Apache-2.0
"""`tallygate verify`, offline and for anybody; `seal`, for the operator; `sign`, with one's own key.

`verify` ends with 0 if the document can be trusted, 1 if not, 2 if that cannot be told.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from core.calls import Peer
from core.clock import SystemClock
from core.config import Document
from core.errors import TallygateError
from core.site import SiteSettings

from .clerk import sealed_folder
from .client import BatchClient, SignatureClient
from .config import SignatureSettings
from .errors import AlreadySigned, CannotSeal, SandboxFailed
from .folders import Examiner, Finished, Journal, OtherTerms, Rows, walk
from .models import Indication, Overall, Profile, SealOrder, Severity, Trust, Verdict
from .pades import anchors, cms, drawing
from .pades.glyphs import Outlines
from .pades.signing import Request
from .sandbox import ReaderPool
from .service import IssuerLists, asked_from, by_hand
from .service.reporting import Kind
from .trustlists import merged, read_etsi, read_own
from .verdict import Catalogue, canonical
from .verdict.words import PROBLEMS, QUESTIONS, Language, moment, short

F = TypeVar("F", bound=Callable[..., Any])
_EXIT = {Overall.TRUSTED: 0, Overall.NOT_TRUSTED: 1, Overall.CANNOT_TELL: 2}
_TELL_EVERY = 2.0
_MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d"]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--trust", multiple=True, type=_FILE, help="PEM file with root and issuer certificates; may be repeated.")
@click.option("--trust-list", "own", type=_FILE, help="Trust list of a site, signed; with --list-key.")
@click.option("--list-key", type=_FILE, help="Public key of that list, PEM.")
@click.option("--etsi-list", "etsi", type=_FILE, help="Trust list of a state (ETSI TS 119 612); with --etsi-signer.")
@click.option("--etsi-signer", type=_FILE, help="Certificates one of which signed it, PEM.")
@click.option("--crl", multiple=True, type=_FILE, help="Revocation list, DER; may be repeated.")
@click.option("--site", "configuration", type=_FILE, help="Use this site's certificates and current lists instead.")
@click.option("--tolerant", is_flag=True, help="Accept form fields filled in after signing; they are listed.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--content", type=_FILE, help="The document that a detached signature is over.")
@click.option(
    "--beside",
    "tokens",
    multiple=True,
    type=_FILE,
    help="Time-stamp (RFC 3161, DER) that an archive made beside a PDF; may be repeated.",
)
@click.option(
    "--signed-revision",
    "revision",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here what the first signature in a PDF is over, to be read beside the present file.",
)
@click.option("--at", "moment_", type=click.DateTime(_MOMENTS), help="Judge as of this moment (UTC), not of now.")
@click.option("--report", type=click.Choice(["xml", "pdf"]), help="A report instead: ETSI TS 119 102-2, or paper.")
@click.option("--json", "as_document", is_flag=True, help="The answer of the REST interface; one a line for a folder.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report, or a folder's table, here; a folder that was interrupted goes on.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="one a core",
    help="Files of a folder that are read at once.",
)
def verify(  # noqa: PLR0917 - click passes everything by name
    file: Path,
    trust: Sequence[Path],
    own: Path | None,
    list_key: Path | None,
    etsi: Path | None,
    etsi_signer: Path | None,
    crl: Sequence[Path],
    configuration: Path | None,
    tolerant: bool,  # noqa: FBT001 - click passes flags by name
    language: Language,
    content: Path | None,
    tokens: Sequence[Path],
    revision: Path | None,
    moment_: datetime | None,
    report: Kind | None,
    as_document: bool,  # noqa: FBT001 - click passes flags by name
    out: Path | None,
    jobs: int,
) -> None:
    """Say whether a signed document can be trusted: exit 0 yes, 1 no, 2 cannot tell.

    Of a folder every file gets a line: a table (CSV) or, with --json, whole verdicts; the exit code is the worst. How
    far it is stands on standard error. With --out it may be killed and called again: no file gets two lines, or none.
    """
    profile = Profile.TOLERANT if tolerant else Profile.STRICT
    at = moment_.replace(tzinfo=UTC) if moment_ else SystemClock().now()
    named = _named_lists(own, list_key, etsi, etsi_signer)
    if configuration is None and not trust and not named:
        raise click.UsageError("name whom you trust with --trust, --trust-list or --etsi-list, or a site with --site")
    if named:
        anchor, lists = _merged(named, trust), [path.read_bytes() for path in crl]
    else:
        anchor, lists = _start(configuration, trust, crl)
    if file.is_dir():
        named_ones = [*trust, *(path for path in (own, etsi, configuration) if path is not None)]
        terms = " ".join([f"{moment_}", *sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in named_ones)])
        rows = Rows(Catalogue(), whole=as_document)
        sys.exit(_folder(file, anchor, lists, profile=profile, at=at, rows=rows, out=out, terms=terms, jobs=jobs))
    if out is not None and report is None:
        raise click.UsageError("--out goes with a folder or a report")
    beside = content.read_bytes() if content else None
    document = file.read_bytes()
    stamps = [path.read_bytes() for path in tokens]
    verdict = _examine(document, anchor, lists, profile=profile, at=at, content=beside, tokens=stamps)
    first = verdict.signatures[0].facts
    if revision is not None and first is not None and first.revision:
        revision.write_bytes(document[: first.revision])
    catalogue = Catalogue()
    if report is not None:
        settings = SignatureSettings()
        paper = by_hand(settings.report_font, settings.report_font_face).write(canonical(verdict, catalogue), report)
        if out is None:
            click.echo(paper, nl=False)
        else:
            out.write_bytes(paper)
    elif as_document:
        click.echo(canonical(verdict, catalogue), nl=False)
    else:
        click.echo(_text(verdict, catalogue, language))
    sys.exit(_EXIT[verdict.overall])


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--site", "configuration", type=_FILE, required=True, help="The site's configuration file (site.toml).")
@click.option("--organisation", required=True, help="Whose seal, by directory identifier.")
@click.option("--actor", required=True, help="Directory subject of the person who acts for the organisation.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The sealed document, or its folder.")
@click.option("--establish", is_flag=True, help="Give the organisation its seal first, if it has none.")
def seal(  # noqa: PLR0917 - click passes everything by name
    file: Path,
    configuration: Path,
    organisation: str,
    actor: str,
    out: Path,
    establish: bool,  # noqa: FBT001 - click passes flags by name
) -> None:
    """Put an organisation's seal on a PDF, through the running role; recorded there.

    All files of a folder are sealed as one batch; whoever was interrupted calls the command again and it goes on.
    """
    peer = _peer(_site(configuration), callee="signatures")
    client = SignatureClient(peer)
    if establish:
        client.establish(organisation)
    if file.is_dir():
        failed = sealed_folder(BatchClient(peer, actor=actor), file, out, organisation=organisation)
        click.echo(f"sealed: {out}")
        sys.exit(1 if failed else 0)
    order = SealOrder(
        document=file.read_bytes(),
        organisation=organisation,
        actor=actor,
        caller="app",
        # The operator on the machine itself answers for knowing the person.
        assurance=2,
    )
    out.write_bytes(client.seal(order))
    click.echo(f"sealed: {out}")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--key", "store", type=_FILE, required=True, help="Your key and certificate, PKCS #12.")
@click.option("--passphrase", type=_FILE, help="File that holds its passphrase; asked for if absent.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The signed document.")
def sign(file: Path, store: Path, passphrase: Path | None, out: Path) -> None:
    """Sign a PDF with your own certificate, on your own machine; the key goes nowhere."""
    word = passphrase.read_bytes().strip() if passphrase else click.prompt("Passphrase", hide_input=True).encode()
    try:
        held = load_pkcs12(store.read_bytes(), word or None)
    except ValueError as error:
        raise click.ClickException("the key file cannot be opened with this passphrase") from error
    if held.cert is None or not isinstance(held.key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise click.ClickException("the key file holds no key and certificate that can sign documents")
    own = held.cert.certificate.public_bytes(Encoding.PEM)
    chain = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in held.additional_certs)
    out.write_bytes(_signed(file.read_bytes(), cms.KeySigner(key=held.key, certificate=own, chain=chain), own))
    click.echo(f"signed: {out}")


def _signed(document: bytes, signer: cms.KeySigner, own: bytes) -> bytes:
    settings, at = SignatureSettings(), SystemClock().now()
    certificate = cms.certificates(own)[0]
    name = str(certificate.subject.native.get("common_name") or "?")
    outlines = Outlines.open(settings.font, face=settings.font_face)
    picture = drawing.stamp(outlines, [name, "电子签名 Digitally signed", moment(at, "en")])
    request = Request(drawing=picture, certificate=certificate.dump(), room=signer.room, at=at, name=name, reason="")
    readers = ReaderPool(settings)
    try:
        prepared = readers.prepare(document, request)
    except SandboxFailed as error:
        raise (AlreadySigned if error.reason == "signed" else CannotSeal) from error
    finally:
        readers.close()
    content = signer.sign_digest(prepared.digest)
    return cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)


def _folder(
    folder: Path,
    trust: Trust,
    lists: list[bytes],
    *,
    profile: Profile,
    at: datetime,
    rows: Rows,
    out: Path | None,
    terms: str,
    jobs: int,
) -> int:
    """A line for each file below; the worst exit code, 0 for an empty folder.

    A file x beside x.p7s is what that signature is over. What is too large is said to be, not left out.
    """
    settings = SignatureSettings(readers=jobs)
    journal = None
    if out is not None:
        journal = _journal(out, terms=f"{folder.resolve()} {profile} {rows.whole} {terms}", at=at, rows=rows)
    else:
        click.echo(rows.header(), nl=False)
    before = journal.done if journal else {}
    readers, progress, codes = ReaderPool(settings), _Progress(len(before)), set(before.values())
    examiner = Examiner(
        readers=readers,
        trust=trust,
        lists=lists,
        profile=profile,
        at=journal.at if journal else at,
        largest=settings.largest,
        together=jobs,
    )
    whole = False
    try:
        for entry, verdict in examiner.all(each for each in walk(folder) if each.name not in before):
            code, row = _EXIT[verdict.overall], rows.row(entry.name, verdict)
            codes.add(code)
            if journal is None:
                click.echo(row, nl=False)
            else:
                journal.add(entry.name, row, code)
            progress.answered()
        whole = True
    finally:
        readers.close()
        if journal is not None:
            journal.close(whole=whole)
        progress.end()
    return 1 if 1 in codes else max(codes, default=0)


def _journal(out: Path, *, terms: str, at: datetime, rows: Rows) -> Journal:
    try:
        return Journal.open(out, terms=terms, at=at, header=rows.header())
    except Finished as error:
        raise click.ClickException(f"{out} is there already; name another file") from error
    except OtherTerms as error:
        raise click.ClickException(f"{out} was begun for another folder, trust or form; name another file") from error


class _Progress:
    """How far a folder is, on standard error: at most every two seconds, and at the end."""

    def __init__(self, before: int) -> None:
        self._clock = SystemClock()
        self._begun = self._said = self._clock.monotonic()
        # Files that earlier runs answered.
        self._before = before
        self._done = 0

    def answered(self) -> None:
        """Count one of this run."""
        self._done += 1
        if self._clock.monotonic() - self._said > _TELL_EVERY:
            self.end()

    def end(self) -> None:
        """Say it."""
        self._said = self._clock.monotonic()
        rate = self._done / max(self._said - self._begun, 0.001)
        earlier = f", {self._before} answered before" if self._before else ""
        click.echo(f"tallygate: {self._done} files answered, {rate:.0f}/s{earlier}", err=True)


def _named_lists(
    own: Path | None, list_key: Path | None, etsi: Path | None, etsi_signer: Path | None
) -> list[tuple[str, Trust]]:
    """The trust lists that were named, each checked as of today: an old list is no longer anybody's word."""
    today, found = SystemClock().now(), []
    if own is not None:
        key = load_pem_public_key(list_key.read_bytes()) if list_key else None
        if not isinstance(key, EllipticCurvePublicKey):
            raise click.UsageError("--trust-list needs the list's public key (P-256) with --list-key")
        found.append(("", read_own(own.read_bytes(), key, at=today).trust()))
    if etsi is not None:
        if etsi_signer is None:
            raise click.UsageError("--etsi-list needs the certificate that signed it with --etsi-signer")
        signers = x509.load_pem_x509_certificates(etsi_signer.read_bytes())
        ders = [each.public_bytes(Encoding.DER) for each in signers]
        found.append(("etsi", read_etsi(etsi.read_bytes(), ders, at=today)))
    return found


def _merged(named: list[tuple[str, Trust]], trust: Sequence[Path]) -> Trust:
    return merged([*named, ("", anchors.of_files(trust))] if trust else named)


def _start(configuration: Path | None, trust: Sequence[Path], crl: Sequence[Path]) -> tuple[Trust, list[bytes]]:
    lists = [path.read_bytes() for path in crl]
    if trust or configuration is None:
        return anchors.of_files(trust), lists
    site = _site(configuration)
    found = anchors.of_site(site.public)
    if not lists:
        try:
            lists = IssuerLists(asked_from(_peer(site, callee="ca")), issuers=lambda: anchors.stamping_too(found))()
        except TallygateError as error:
            click.echo(f"tallygate: no revocation lists: {error.detail}", err=True)
    return found, lists


def _examine(
    document: bytes,
    trust: Trust,
    lists: list[bytes],
    *,
    profile: Profile,
    at: datetime,
    content: bytes | None,
    tokens: Sequence[bytes],
) -> Verdict:
    settings = SignatureSettings(readers=1)
    readers = ReaderPool(settings)
    try:
        examiner = Examiner(readers=readers, trust=trust, lists=lists, profile=profile, at=at, largest=settings.largest)
        return examiner.examine(document, content, tokens)
    finally:
        readers.close()


def _text(verdict: Verdict, catalogue: Catalogue, language: Language) -> str:
    lines = [catalogue.say(verdict.headline, language), catalogue.say(verdict.advice, language)]
    for one in verdict.signatures:
        lines.append("")
        for name, question in QUESTIONS.items():
            answer = getattr(one, name)
            word = catalogue.plain(short(name, answer.value), language)
            lines.append(f"{catalogue.plain(question, language)} [{word}]")
            lines.append(f"  {catalogue.say(answer.words, language)}")
    shown = [each for each in verdict.problems if each.severity is Severity.NOTICE or len(verdict.problems) > 1]
    if shown:
        lines += ["", catalogue.plain(PROBLEMS, language)]
        lines += [f"- {catalogue.say(each.words, language)}" for each in shown]
    standard = f"{verdict.indication.value} {verdict.subindication}".strip()
    if verdict.indication is not Indication.NO_SIGNATURE:
        lines += ["", f"ETSI EN 319 102-1: {standard}"]
    lines.append(f"SHA-256: {verdict.sha256}")
    return "\n".join(lines)


def _site(configuration: Path) -> SiteSettings:
    return Document.read(configuration).section("site", SiteSettings)


def _peer(site: SiteSettings, *, callee: str) -> Peer:
    secret = site.pair_secret(holder="app", caller="app", callee=callee)
    return Peer(path=site.socket(callee), caller="app", secret=secret, timeout=60.0)
