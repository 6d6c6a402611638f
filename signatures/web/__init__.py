# SPDX-License-Identifier: Apache-2.0
"""The public page and REST interface that verify documents, and the peers' interface that seals them.

| address              | who                     | what                                     |
| -------------------- | ----------------------- | ---------------------------------------- |
| /                    | anybody                 | form, and the answer in plain words      |
| /report              | anybody                 | that answer again, as XML or PDF         |
| /compare             | anybody                 | what was signed beside the present file  |
| /revision            | anybody                 | what was signed, as PDF                  |
| /api/v1/signed-revision | anybody              | the same for programs                    |
| /api/v1/verify       | anybody                 | signed file in, verdict as JSON out      |
| /api/v1/openapi.json | anybody                 | what this interface takes and gives      |
| /api/v1/seal         | app, portal:documents   | PDF in, sealed PDF out                   |
| /api/v1/seals        | app                     | gives an organisation its seal           |
| /api/v1/keepers      | app                     | names the first keepers of a seal        |
| /api/v1/programs     | app                     | what agencies' programs may do           |
| /api/v1/batches/*    | app                     | documents sealed together, for a person  |
| /api/v1/archive      | app                     | what of the archive is at risk           |
| /agencies/v1/*       | programs of agencies    | verdicts, seals, batches, papers         |
| /api/v1/papers       | app                     | papers on their way, for a person        |
| /my/...              | people, host ``sign``   | documents to sign                        |
"""

from .agencies import agencies as agencies
from .archive import archive as archive
from .archive_pages import archive_pages as archive_pages
from .batches import batches as batches
from .blueprint import Pages as Pages
from .blueprint import blueprint as blueprint
from .comparing import comparing as comparing
from .orders import orders as orders
from .own import own as own
from .paper_programs import paper_programs as paper_programs
from .papers import papers as papers
from .papers import registers as registers
from .placing import placing as placing
from .sealing import sealing as sealing
from .seconding import seconding as seconding
from .shown import Shown as Shown
from .signing import signing as signing
from .verifying import verifying as verifying
