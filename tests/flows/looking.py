# SPDX-License-Identifier: Apache-2.0
"""Walking through all pages a person can reach, and looking at each: wide and narrow, light and dark, in its language.

With TALLYGATE_SHOTS naming a folder, a picture of each view is left there for people to look at.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import BrowserContext, Error, Page

from tests.flows.people import accessible
from tests.flows.words import TAGS, Language, catalogue

WIDTHS = (1280, 360)
SHOTS = os.environ.get("TALLYGATE_SHOTS", "")
MOST_ALIKE = 2
"""Pages of one kind that are looked at, in English: the second may show what the first has none of."""
_FAULT = 500
# What stands for one of many: numbers, serials, identifiers, and the short names of organisations, roles and holders.
_ONE_OF_MANY = re.compile(
    r"[0-9a-f]{32,}|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|(?<=/organisations/)[^/]+|(?<=/holders/)[^/]+|(?<=/drafts/)[^/]+"
    r"|(?<=/history/organisation/)[^/]+|(?<=/history/role/)[^/]+|(?<=/history/service/)[^/]+"
)
# Texts and where they stand; code is not language, and what is marked as English may be.
_TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.replace(/\\s+/g, ' ').trim();
    const around = walker.currentNode.parentElement;
    if (text && !around.closest('script, style, code, pre, [lang=en]:not(html)')) found.push(text);
  }
  for (const each of document.querySelectorAll('[aria-label], [title], [alt], [placeholder], [data-label]'))
    for (const name of ['aria-label', 'title', 'alt', 'placeholder', 'data-label'])
      if (each.getAttribute(name)) found.push(each.getAttribute(name).replace(/\\s+/g, ' ').trim());
  return found;
}"""
_HREFS = """() => [...document.querySelectorAll('a[href]:not([hreflang]):not([download])')]
  .map(each => String(each.href))"""
_OVERFLOW = """() => {
  const limit = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= limit) return [];
  const wide = [...document.querySelectorAll('body *')].filter(each => each.getBoundingClientRect().right > limit + 1);
  return wide.slice(0, 5).map(each => each.outerHTML.slice(0, 200));
}"""
# Of what a page is made: each kind of element by what holds it. axe judges by these, so a page of kinds that were all
# judged before would get the same judgement, and axe is most of what a look costs.
_MADE_OF = """() => {
  const kind = each => [each.localName, ...each.classList, each.getAttribute('role') || '', each.type || ''].join('.');
  const found = [...document.querySelectorAll('body, body *')].map(each => `${kind(each.parentElement)}>${kind(each)}`);
  return [...new Set(found)];
}"""
_LATIN = re.compile("[A-Za-z]{2}")
# Five words in a row are a sentence and no name.
_SENTENCE = re.compile(r"(?:[A-Za-z][A-Za-z'\u2019]*[ ,;:]+){4}[A-Za-z]+")


class Eyes:
    """Looks at pages in one language and remembers what is wrong."""

    def __init__(self, who: str, language: Language) -> None:
        self.wrong: list[str] = []
        self.seen: list[str] = []
        self._who = who
        self._language = language
        self._most = MOST_ALIKE if language == "en" else 1
        self._english = _untranslated() if language == "zh" else {}
        self._told: dict[str, str] = {}
        # By view, the kinds of elements that axe has judged.
        self._judged: dict[str, set[str]] = {}

    def walk(self, context: BrowserContext, starts: Iterable[str]) -> None:
        """Open the first addresses and everything links lead to, each kind of page a few times, each question once."""
        page = context.new_page()
        page.set_default_timeout(30_000)
        waiting, known, kinds = list(starts), set(), Counter[str]()
        while waiting:
            address = urldefrag(waiting.pop(0)).url
            if address in known:
                continue
            known.add(address)
            shows = _shows(address)
            seen = all(kinds[each] >= min(most, self._most) for each, most in shows.items())
            if seen or not self._page(page, address):
                continue
            kinds.update(shows.keys())
            self.look(page)
            waiting += [link for link in _links(page) if link not in known]
        page.close()

    def _page(self, page: Page, address: str) -> bool:
        """Open it; says whether it is a page at all and not a file."""
        try:
            response = page.goto(address)
        except Error:
            # A download has begun.
            return False
        if response is not None and response.status >= _FAULT:
            self.wrong.append(f"{address} is answered with {response.status}")
        return response is not None and "html" in response.headers.get("content-type", "")

    def look(self, page: Page) -> None:
        """At the page that is shown."""
        self.seen.append(page.url)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            self._shot(page, str(width))
            # Colours are those of the wide page; what is laid out in another way is looked at again.
            self._checks(page, f"{width} px", contrast=width == WIDTHS[0])
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.emulate_media(color_scheme="dark")
        self._shot(page, "dark")
        self._checks(page, "dark", rest=False)
        page.emulate_media(color_scheme="light")
        self._language_of(page)

    def _checks(self, page: Page, view: str, *, contrast: bool = True, rest: bool = True) -> None:
        # Colours, sizes and structure are the same in both languages; in the second axe looks once at each page.
        judged, made_of = self._judged.setdefault(view, set()), set(page.evaluate(_MADE_OF))
        if (self._language == "en" or view == f"{WIDTHS[-1]} px") and not made_of <= judged:
            judged |= made_of
            try:
                accessible(page, contrast=contrast, rest=rest)
            except AssertionError as error:
                self.wrong.append(f"{view}: {error}")
        if overflow := page.evaluate(_OVERFLOW):
            self.wrong.append(f"{view}: {page.url} is too wide: {overflow}")

    def _language_of(self, page: Page) -> None:
        tag = page.locator("html").get_attribute("lang")
        if tag != TAGS[self._language]:
            self.wrong.append(f"{page.url} says that it is in {tag}")
        if self._language == "zh":
            for text in page.evaluate(_TEXTS):
                if says := self._said_in_english(text):
                    self.wrong.append(f"{page.url} {says}: {text}")

    def _said_in_english(self, text: str) -> str:
        """What is wrong with a text on a Chinese page, if anything is; the same texts stand on many pages."""
        if text not in self._told:
            self._told[text] = ""
            if _LATIN.search(text) is None:
                return ""
            if text in self._english or any(each.fullmatch(text) for each in self._english.values() if each):
                self._told[text] = "has no Chinese for"
            elif _SENTENCE.search(text):
                self._told[text] = "speaks English"
        return self._told[text]

    def _shot(self, page: Page, view: str) -> None:
        if SHOTS:
            place = re.sub(r"[^a-z0-9]+", "-", kind(page.url).lower().replace(".city.localhost", "")).strip("-")
            name = f"{self._who}-{self._language}-{len(self.seen):02}-{place[:60]}-{view}.png"
            page.screenshot(path=Path(SHOTS) / name, full_page=True)


def kind(address: str) -> str:
    """The address without what stands for one of many; of the query only what was asked."""
    at = urlsplit(address)
    asked = "&".join(sorted(part.partition("=")[0] for part in at.query.split("&") if part))
    return f"{at.netloc}{_ONE_OF_MANY.sub('#', at.path)}?{asked}"


def _shows(address: str) -> dict[str, int]:
    """The kinds of which a page is one, and how many of each are looked at: its place, and each question asked there.

    Filters can be set in any mixture; looking at all mixtures would take hours.
    """
    place, _, asked = kind(address).partition("?")
    return {place: MOST_ALIKE} | {f"{place}?{name}": 1 for name in asked.split("&") if name}


def _untranslated() -> dict[str, re.Pattern[str] | None]:
    """English texts that a Chinese page must not show; with a pattern where values stand in them."""
    found: dict[str, re.Pattern[str] | None] = {}
    for english, chinese in catalogue().items():
        if english in chinese or not re.search("[A-Za-z]{2}", english):
            continue
        parts = re.split(r"%\([a-z_]+\)s", english)
        # A text that is mostly values would match everything.
        long = sum(map(len, parts)) > 8 and len(parts) > 1
        found[english] = re.compile(".*".join(map(re.escape, parts))) if long else None
    return found


def _links(page: Page) -> Iterator[str]:
    """Links to pages of the city, without leaving and without changing the language."""
    site = (urlsplit(page.url).hostname or "").partition(".")[2]
    # Asked at once: a question for each of hundreds of links costs more than all the rest of a look.
    for address in dict.fromkeys(page.evaluate(_HREFS)):
        at = urlsplit(address)
        if (at.hostname or "").endswith(f".{site}") and "logout" not in at.path and not at.path.endswith(".pdf"):
            yield urldefrag(address).url
