# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - Chinese punctuation is full-width
"""The few pages nginx shows by itself, when there is nobody behind it to ask: in both languages at once.

Each comes twice, as a page for people and as a problem document (RFC 9457) for programs.
"""

import html
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class _Page:
    status: int
    code: str
    title: str
    detail: str
    title_zh: str
    detail_zh: str


_PAGES = (
    _Page(
        400,
        "malformed",
        "This request cannot be right",
        "Your browser sent something this service cannot read. Go back, reload the page and try again.",
        "请求无法识别",
        "您的浏览器发送的内容无法读取。请返回上一页，刷新后重试。",
    ),
    _Page(
        404,
        "not_found",
        "Page not found",
        "There is nothing at this address. Check the address, or start again from the home page.",
        "页面不存在",
        "该地址下没有内容。请核对网址，或从首页重新进入。",
    ),
    _Page(
        405,
        "method_not_allowed",
        "This request cannot be right",
        "This address does not take such a request.",
        "请求无法识别",
        "该地址不接受此类请求。",
    ),
    _Page(
        413,
        "too_large",
        "What you sent is too large",
        "Send a smaller file, or split it into several.",
        "发送的内容过大",
        "请压缩或拆分文件后重新发送。",
    ),
    _Page(
        421,
        "misdirected",
        "No such service here",
        "This network entrance knows no service of that name. Check the address.",
        "此处没有该服务",
        "本网络入口没有该名称的服务。请核对网址。",
    ),
    _Page(
        429,
        "too_many",
        "Too many requests",
        "Too many requests came from your address. Wait a minute, then try again.",
        "访问过于频繁",
        "来自您所在地址的请求过多。请一分钟后重试。",
    ),
    _Page(
        431,
        "headers_too_large",
        "This request cannot be right",
        "Your browser sent too much about itself. Delete the cookies of this site and try again.",
        "请求无法识别",
        "您的浏览器发送的附加信息过多。请清除本网站的 Cookie 后重试。",
    ),
    _Page(
        503,
        "unavailable",
        "Temporarily unavailable",
        "This service cannot answer at the moment. Nothing was changed. Please try again in a few minutes.",
        "服务暂时不可用",
        "该服务目前无法响应，未作任何更改。请几分钟后重试。",
    ),
)

STATUSES = tuple(page.status for page in _PAGES)
"""Every status nginx answers by itself."""


def pages(*, title: str, title_zh: str) -> dict[str, bytes]:
    """File name to content, for all pages."""
    made: dict[str, bytes] = {}
    for page in _PAGES:
        made[f"{page.status}.html"] = _html(page, title, title_zh).encode()
        made[f"{page.status}.json"] = _problem(page).encode()
    return made


def _html(page: _Page, title: str, title_zh: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(page.title)} · {html.escape(title)}</title>
<link rel="stylesheet" href="/static/tallygate.css">
</head>
<body>
<header class="top"><div class="wrap"><span class="brand">{html.escape(title)}
<span lang="zh-Hans">{html.escape(title_zh)}</span></span></div></header>
<main class="wrap">
<h1>{html.escape(page.title)}</h1>
<p class="lead">{html.escape(page.detail)}</p>
<section lang="zh-Hans">
<h2>{html.escape(page.title_zh)}</h2>
<p class="lead">{html.escape(page.detail_zh)}</p>
</section>
<p class="quiet"><code>{page.code} · {page.status}</code></p>
</main>
</body>
</html>
"""


def _problem(page: _Page) -> str:
    return json.dumps(
        {
            "type": f"urn:tallygate:error:{page.code}",
            "title": page.title,
            "status": page.status,
            "detail": page.detail,
            "code": page.code,
            "message": page.detail,
            "parameters": {},
        }
    )
