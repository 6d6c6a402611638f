# SPDX-License-Identifier: Apache-2.0
"""What several commands take."""

from pathlib import Path

import click

SITE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SITE_HELP = "The site's configuration file (site.toml)."

site = click.option("--site", "configuration", type=SITE_FILE, required=True, help=SITE_HELP)
