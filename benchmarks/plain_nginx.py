# SPDX-License-Identifier: Apache-2.0
"""A second nginx beside a running city: the city's own configuration on other ports, with address limits off.

TLS is off too, unless it is asked for; the name in it is then not compared, because whoever makes the load sends none.
Everything else stays as the product writes it: decisions, headers, secrets. More hosts of its own stand at the
external listener, ``bare``, ``empty`` and ``decided``: the same trivial answer, without and with the decision before
it, so that what the decision costs can be told apart from what the application behind it costs. ``empty`` asks an
address of nginx's own that says yes to everything.
"""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.context import Context
from app.users import GROUP, Users
from app.wiring import gateway
from tests.fakes.ports import free_ports

LISTENERS = ("external", "internal", "management", "plain")
_OWN = ("bare", "empty", "decided", "upstream")
_TRIVIAL = "location / { default_type text/html; return 200 '<p>ok</p>'; }"


@contextmanager
def plain_nginx(context: Context, *, tls: bool = False) -> Iterator[dict[str, int]]:
    """Run it; gives the port of each listener and of the hosts of its own, and under ``pid`` its process."""
    folder = context.site.folder("nginx")
    for name in ("bench/logs", "bench/temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ports = dict(zip((*LISTENERS, *_OWN), free_ports(len(LISTENERS) + len(_OWN)), strict=True))
    text = rewritten((folder / "nginx.conf").read_text("utf-8"), context, ports, tls=tls)
    # Beside the original: nginx reads its includes from the folder of its configuration.
    path = folder / "bench.conf"
    path.write_text(text, "utf-8")
    users = Users.detect()
    user = users.of("nginx")
    if user is not None:
        for made in (path, folder / "bench", *(folder / "bench").iterdir()):
            shutil.chown(made, user, user)
    line = gateway.command(context)
    line[line.index("-c") + 1] = str(path)
    log = (folder / "bench" / "nginx.log").open("ab")
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=user,
        group=user,
        extra_groups=[GROUP] if user else None,
    )
    log.close()
    try:
        _wait_for(ports["external"], process)
        yield ports | {"pid": process.pid}
    finally:
        process.terminate()
        process.wait(timeout=30)


def rewritten(text: str, context: Context, ports: dict[str, int], *, tls: bool = False) -> str:
    """The configuration without limits per address, and without TLS unless it is asked for."""
    site = context.site.ports
    moved = {getattr(site, name): ports[name] for name in LISTENERS}
    shown = " ssl" if tls else ""
    text = re.sub(
        r"listen 127\.0\.0\.1:(\d+)( ssl)?( default_server)?;",
        lambda found: (
            f"listen 127.0.0.1:{moved[int(found.group(1))]}{shown if found.group(2) else ''}{found.group(3) or ''};"
        ),
        text,
    )
    # The sign of life of the city's own nginx stays where it is.
    text = text.replace(str(context.site.socket("nginx")), str(context.site.folder("nginx") / "bench" / "sock"))
    text = re.sub(r"if \(\$ssl_server_name != [^)]*\) \{\s*return 421;\s*\}", "", text)
    ended = "limit_req|limit_conn" if tls else "ssl_|limit_req|limit_conn"
    text = re.sub(rf"^\s*({ended}).*;\n", "", text, flags=re.MULTILINE)
    text = text.replace("pid nginx.pid;", "pid bench/nginx.pid;").replace("logs/", "bench/logs/")
    text = text.replace("_temp_path temp/", "_temp_path bench/temp/")
    tax = _server(text, context.site.host("tax"))
    decided = tax.replace(f":{ports['external']}{shown};", f":{ports['decided']}{shown};")
    decided = decided.replace("proxy_pass http://role_portal_tax;", f"proxy_pass http://127.0.0.1:{ports['upstream']};")
    bare = re.sub(r"^\s*(auth_request|error_page 401).*;\n", "", decided, flags=re.MULTILINE)
    bare = bare.replace(f"127.0.0.1:{ports['decided']}", f"127.0.0.1:{ports['bare']}")
    asking = re.compile(r"(location = /\.tallygate/decide \{).*?\}", re.DOTALL)
    empty = asking.sub(r"\1 internal; return 204; }", decided, count=1)
    empty = empty.replace(f"127.0.0.1:{ports['decided']}", f"127.0.0.1:{ports['empty']}")
    upstream = f"server {{ listen 127.0.0.1:{ports['upstream']}; {_TRIVIAL} }}"
    end = text.rindex("}")
    return "\n".join((text[:end], decided, bare, empty, upstream, "}\n"))


def _server(text: str, host: str) -> str:
    """The first server block of one host, which is the external listener's."""
    name = text.index(f"server_name {host};")
    start = text.rindex("server {", 0, name)
    depth, position = 0, start
    while True:
        position = min(p for p in (text.find("{", position), text.find("}", position)) if p >= 0)
        depth += 1 if text[position] == "{" else -1
        position += 1
        if not depth:
            return text[start:position]


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if process.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx without TLS did not start")
