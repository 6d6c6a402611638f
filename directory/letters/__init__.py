# SPDX-License-Identifier: Apache-2.0
"""Letters to people about what is theirs to do in the directory: reviews they answer for, proofings that end.

Owns the table ``directory_letters``. What is to be told is written down once under a key that says what it is about, so
that whoever tells it again after a crash tells it once. Handing over happens at least once: whoever dies between a mail
server's answer and the note of it hands over again, under the same number. What never happens here: no name, address
or access stands in the table.
"""

from .models import Letter as Letter
from .models import Subject as Subject
from .models import key_of as key_of
from .models import text_of as text_of
from .store import Board as Board
