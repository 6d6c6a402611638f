# SPDX-License-Identifier: Apache-2.0
"""`python -m app` is the command `tallygate`."""

from .cli import main

main()
