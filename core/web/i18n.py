# SPDX-License-Identifier: Apache-2.0
"""English and 简体中文: chosen by link (``?lang=``), then cookie, then what the browser asks for.

English texts are the keys. Each component keeps ``translations/zh.po`` beside its templates; they are read once in
each process, so no compiled catalogue is ever committed.
"""

import functools
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, Response, current_app, g, has_request_context, request

from ..site import SiteSettings

Locale = Literal["en", "zh"]
LOCALES: tuple[Locale, ...] = ("en", "zh")
COOKIE = "__Host-lang"
_YEAR = 365 * 24 * 3600


def load(folders: Sequence[Path]) -> Translations:
    """Merge the Chinese catalogues of several components."""
    merged = Translations()
    # Merging keeps the plural rule of the empty catalogue, which is English; Chinese has one form for every number.
    merged.plural = lambda _count: 0
    for folder in folders:
        merged.merge(_read(folder))
    return merged


@functools.cache
def _read(folder: Path) -> Translations:
    # The largest takes a sixth of a second, and a role wants it in several places.
    with (folder / "zh.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans_CN")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def chinese_words(folders: Sequence[Path]) -> Callable[[str], str]:
    """Puts catalogue keys into Chinese outside of any request, for whoever must know both languages."""
    return load(folders).gettext


def install(app: Flask, *, site: SiteSettings, folders: Sequence[Path]) -> None:
    """Make templates translate and remember the choice of language."""
    chinese = load(folders)
    app.extensions["tallygate_chinese"] = chinese
    # Not Jinja's own extension: its _() declares whatever it returns to be safe markup, so that a value which is no
    # text of ours would be script. These return plain strings, and every page escapes them.
    app.add_template_global(_filled, "_")
    app.add_template_global(_counted, "ngettext")
    app.add_template_filter(_, "in_words")

    @app.before_request
    def choose() -> None:
        g.locale = _choose()

    @app.after_request
    def remember(response: Response) -> Response:
        if request.args.get("lang") in LOCALES:
            response.set_cookie(COOKIE, locale(), max_age=_YEAR, secure=True, httponly=True, samesite="Lax", path="/")
        response.headers.setdefault("Content-Language", "zh-Hans" if locale() == "zh" else "en")
        response.vary.update(["Accept-Language", "Cookie"])
        return response

    @app.context_processor
    def words() -> dict[str, object]:
        return {
            "locale": locale(),
            "site_title": site.title_zh if locale() == "zh" else site.title,
            "other_language": other_language(),
        }


def locale() -> Locale:
    """The language of the present request; English outside one."""
    if not has_request_context():
        return "en"
    chosen: Locale = g.get("locale", "en")
    return chosen


def _(message: str) -> str:
    """Translate one text into the language of the present request; in templates the filter ``in_words``."""
    # The empty key holds a catalogue's header.
    return _catalogue().gettext(message) if message and locale() == "zh" else message


def ngettext(singular: str, plural: str, count: int) -> str:
    """Translate a text that depends on a number."""
    if locale() == "zh":
        return _catalogue().ngettext(singular, plural, count)
    return singular if count == 1 else plural


def _filled(message: str, /, **values: object) -> str:
    text = _(message)
    return text % values if values else text


def _counted(singular: str, plural: str, count: int) -> str:
    return ngettext(singular, plural, count) % {"num": count}


def other_language() -> dict[str, str]:
    """Address and name of this page in the other language; keeps the rest of the query."""
    code, name = ("en", "English") if locale() == "zh" else ("zh", "简体中文")
    query = request.args.copy()
    query["lang"] = code
    pairs = [(k, v) for k in query for v in query.getlist(k)]
    return {
        "code": "zh-Hans" if code == "zh" else "en",
        "name": name,
        "address": f"{request.path}?{urlencode(pairs)}",
    }


def _catalogue() -> Translations:
    found: Translations = current_app.extensions["tallygate_chinese"]
    return found


def _choose() -> Locale:
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish == "en":
            return "en"
        if wish == "zh":
            return "zh"
    best = request.accept_languages.best_match(["en", "zh", "zh-CN", "zh-Hans", "zh-Hans-CN"], default="en")
    return "zh" if best.startswith("zh") else "en"
