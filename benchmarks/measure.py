# SPDX-License-Identifier: Apache-2.0
"""Run an act many times from several threads or in `wrk`, and say how fast it was: rate, p50, p99."""

import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """What one run measured; times in milliseconds."""

    rate: float
    p50: float
    p99: float
    errors: int = 0


@dataclass(frozen=True)
class Samples:
    """What one process measured, to be put together with others."""

    # Seconds of every call.
    times: list[float]
    # Seconds the whole took.
    took: float
    errors: int = 0

    def figure(self) -> Figure:
        """In short."""
        return together([self])


def together(parts: Sequence[Samples]) -> Figure:
    """Samples of processes that ran at the same time, in short."""
    every = sorted(one for part in parts for one in part.times)
    return Figure(
        rate=len(every) / max(part.took for part in parts),
        p50=_share(every, 0.5) * 1000,
        p99=_share(every, 0.99) * 1000,
        errors=sum(part.errors for part in parts),
    )


def repeat(act: Callable[[], object], *, seconds: float, threads: int = 1) -> Figure:
    """Call ``act`` as often as possible; an exception is an error and counts in no time."""
    return sampled(act, seconds=seconds, threads=threads).figure()


def sampled(act: Callable[[], object], *, seconds: float, threads: int = 1) -> Samples:
    """The same, with every single time."""
    times: list[list[float]] = [[] for _ in range(threads)]
    errors = [0] * threads
    stop = time.perf_counter() + seconds

    def work(number: int) -> None:
        while (begun := time.perf_counter()) < stop:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - whatever went wrong is counted and shown in the table
                errors[number] += 1
                print(f"error: {error!r:.300}", flush=True)
                continue
            times[number].append(time.perf_counter() - begun)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    begun = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - begun
    return Samples(times=[one for part in times for one in part], took=took, errors=sum(errors))


def apart(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a function in a fresh process, whose interpreter lock nobody else holds."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def wrk(
    url: str,
    *,
    seconds: int,
    connections: int,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    more: Sequence[str] = (),
) -> Figure:
    """Load one address with Debian's wrk; answers other than 2xx, and broken connections, are errors.

    ``more`` are lines of Lua, such as a function that makes each request.
    """
    command = ["wrk", "--latency", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join((_script(body), *more)))
        script.flush()
        said = subprocess.run([*command, "-s", script.name, url], capture_output=True, text=True, check=True).stdout
    bad = int(_found(r"refused (\d+)", said))
    for line in re.findall(r"^error: .*", said, re.MULTILINE):
        print(line, flush=True)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    bad += sum(map(int, broken.groups())) if broken else 0
    answered = int(_found(r"(\d+) requests in", said))
    return Figure(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", said)) * max(0.0, 1 - bad / max(answered, 1)),
        p50=_milliseconds(_found(r"50%\s+([\d.]+\w+)", said)),
        p99=_milliseconds(_found(r"99%\s+([\d.]+\w+)", said)),
        errors=bad,
    )


def _script(body: bytes | None) -> str:
    """What wrk runs: the request, and a count of answers that are no 2xx (wrk itself takes a redirect for success)."""
    lines = ["refused = 0", "threads = {}", 'said = ""']
    if body is not None:
        lines += ['wrk.method = "POST"', 'wrk.body = "{}"'.format("".join(f"\\{byte:03}" for byte in body))]
    lines += [
        "function setup(thread) table.insert(threads, thread) end",
        # The first few are kept with their text, so that a failed run says why.
        "function response(status, _, body)",
        "  if status >= 200 and status <= 299 then return end",
        "  refused = refused + 1",
        "  if refused > 5 then return end",
        '  said = said .. "error: " .. status .. " " .. body:sub(1, 200):gsub("%s+", " ") .. "\\n"',
        "end",
        "function done()",
        "  local all = 0",
        "  for _, thread in ipairs(threads) do",
        '    all = all + (thread:get("refused") or 0)',
        '    io.write(thread:get("said") or "")',
        "  end",
        '  print("refused " .. all)',
        "end",
    ]
    return "\n".join(lines)


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"wrk said something else: {text}")
    return match.group(1)


def _milliseconds(text: str) -> float:
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * units[unit]
