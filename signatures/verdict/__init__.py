# SPDX-License-Identifier: Apache-2.0
"""From findings to plain words: four questions, each answered yes, no or unknown, and one overall answer.

``judge`` decides, ``words`` says it in English and Chinese, ``document`` writes it as JSON. The page, the REST answer
and the terminal all go through here, so they cannot disagree.
"""

from .document import as_json as as_json
from .document import canonical as canonical
from .judge import judge as judge
from .judge import unreadable as unreadable
from .words import Catalogue as Catalogue
