# SPDX-License-Identifier: Apache-2.0
"""The web base: one way to make an application, map errors, guard endpoints, set headers and speak two languages.

Only this package, the ``web`` rooms, ``portals`` and ``app`` know Flask.
"""

from .application import create as create
from .errors import oauth_answer as oauth_answer
from .guard import Guard as Guard
from .guard import caller as caller
from .guard import identity as identity
from .headers import before_flask as before_flask
from .i18n import COOKIE as COOKIE
from .i18n import _ as _
from .i18n import chinese_words as chinese_words
from .i18n import locale as locale
from .inputs import form_text as form_text
from .inputs import json_object as json_object
