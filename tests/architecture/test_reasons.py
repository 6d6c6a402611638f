# SPDX-License-Identifier: Apache-2.0
"""Why something was refused or ended is told to officers in words, whatever reason the sign-on writes down."""

import re
from pathlib import Path

from audit.search.words import reason_words

ROOT = Path(__file__).parents[2]
_WRITTEN = re.compile(r'reason="([^"]+)"|_refused\(request, (?:reason or )?"([^"]+)"')
_RETURNED = re.compile(r'else "([^"]+)"|return "([^"]+)" if ')


def test_every_reason_of_the_sign_on_has_its_words() -> None:
    sources = dict.fromkeys((ROOT / "sso" / "service").glob("*.py"), _WRITTEN)
    sources[ROOT / "sso" / "oauth" / "rfc6749" / "redemption.py"] = _RETURNED
    found = {
        next(filter(None, groups))
        for path, pattern in sources.items()
        for groups in pattern.findall(path.read_text("utf-8"))
    }
    assert {"wrong", "used", "redirect_uri", "code presented twice"} <= found
    assert not {reason for reason in found if not reason_words(reason)}
