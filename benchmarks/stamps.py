# SPDX-License-Identifier: Apache-2.0
"""Time-stamps of a running city, each recorded in its log before it is signed; writes a part of a document."""

import argparse
import subprocess
import time
from pathlib import Path

from tests.flows.city import started

from . import bare
from .measure import Figure, apart, wrk
from .place import Place
from .plain_nginx import plain_nginx
from .report import Machine, replaced

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-ca.md"
_HEADING = "## Time-stamps"
CONNECTIONS = (1, 16, 64)
_UNIT = "city"
_PATIENCE = 120.0


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stamps")
    parser.add_argument("--seconds", type=int, default=5, help="how long one figure is measured")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="the document whose part is written")
    asked = parser.parse_args()
    with started(measured=True) as city:
        machine = Machine.here(city.folder)
        _wait_for_unit(city.folder / "ca" / "units" / f"{_UNIT}.pem")
        with plain_nginx(Place(folder=city.folder, ports={}, seconds=asked.seconds).context) as ports:
            place = Place(folder=city.folder, ports=ports, seconds=asked.seconds)
            signing = apart(bare.signatures, 2.0)
            figures = {each: apart(measured, place, each) for each in CONNECTIONS}
    rows = [f"| Sign with P-256 and nothing else, 2 threads | {signing.rate:,.0f}/s |"]
    rows += [
        f"| Stamps over HTTP, {each} at once | {figure.rate:,.0f}/s, p50 {figure.p50:.1f} ms, p99 {figure.p99:.1f} ms, "
        f"{figure.errors} errors |"
        for each, figure in figures.items()
    ]
    text = "\n".join(
        (
            _HEADING,
            "",
            f"Made by `python -m benchmarks.stamps` on {machine.cores} cores of {machine.model}, shared with others:",
            f"load average {machine.load}. A whole city ran beside it. Each stamp (P-256, SHA-256) is one entry of the",
            "log, synced and sequenced before its signature; wrk asks nginx before the role, with one question again",
            "and again, which makes no difference.",
            "",
            "| what | measured |",
            "|---|---|",
            *rows,
            "",
        )
    )
    asked.output.write_text(replaced(asked.output.read_text("utf-8"), _HEADING, text), "utf-8")


def measured(place: Place, connections: int) -> Figure:
    """Clients that have one hash stamped, as fast as they are answered."""
    ask = ["openssl", "ts", "-query", "-digest", "00" * 32, "-sha256", "-no_nonce"]
    question = subprocess.run(ask, capture_output=True, check=True).stdout
    return wrk(
        place.url("plain", f"/tsa/{_UNIT}"),
        seconds=place.seconds,
        connections=connections,
        headers={"Host": place.context.site.host("pki"), "Content-Type": "application/timestamp-query"},
        body=question,
    )


def _wait_for_unit(path: Path) -> None:
    limit = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > limit:
            raise SystemExit("the role made no unit")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
