# SPDX-License-Identifier: Apache-2.0
"""How many processes of a role serve."""

WORKERS = {"gateway": 2, "sso": 2}
"""The two roles on everybody's path get a process per core; two cores are the reference machine."""
