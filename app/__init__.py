# SPDX-License-Identifier: Apache-2.0
"""The only place that knows everybody: wiring, command line, WSGI entry points, birth of a site, supervisor.

Owns no table. What never happens here: a decision. Decisions belong to the components that are wired together.
"""
