# SPDX-License-Identifier: Apache-2.0
"""HTTP to the record and back: officers' pages, the site's own questions, and the public log.

| who                   | what                                                                  |
| --------------------- | --------------------------------------------------------------------- |
| officers              | overview, views, stories, cases, search, witnesses                    |
| officers              | entry, proof, entry bytes, entry bundles                              |
| officers, auditors    | consents of second officers: ask, decide, act                         |
| officers, auditors    | what is shut now in an emergency                                      |
| role ``app``          | search as JSON, entry bundles                                         |
| roles that record     | append many events at once                                            |
| role ``sso``          | one person's own record, for “My account”                             |
| role ``directory``    | how one entry of the directory was changed                            |
| anybody               | checkpoint and hash tiles, in the format of C2SP tlog-tiles           |
| anybody               | the checkpoint that our witnesses have cosigned                       |
| anybody               | what programs may ask: ``/api/v1/openapi.json``                       |
| officers              | the time-stamps over the record, and each token                       |
| officers, role ``app`` | evidence files                                                     |
| logs of others        | ask this site to witness them, as in C2SP tlog-witness                |
"""

from .alerting import alerting as alerting
from .blueprint import TRANSLATIONS as TRANSLATIONS
from .blueprint import Pages as Pages
from .blueprint import blueprint as blueprint
from .casework import casework as casework
from .changing import changing as changing
from .complying import Clause as Clause
from .complying import Finding as Finding
from .complying import Standards as Standards
from .complying import complying as complying
from .complying import examined as examined
from .evidencing import evidencing as evidencing
from .exporting import exporting as exporting
from .mirroring import mirrored as mirrored
from .overview import overseeing as overseeing
from .public import public as public
from .reading import reading as reading
from .retaining import retention_pages as retention_pages
from .saving import saving as saving
from .stamping import stamping as stamping
from .stories import telling as telling
from .switching import switching as switching
from .taking import directly as directly
from .taking import taking as taking
from .warranting import warranting as warranting
from .witnessing import witnessing as witnessing
