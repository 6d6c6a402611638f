# SPDX-License-Identifier: Apache-2.0
"""What officers, services and citizens may read of the record; every reading is recorded before it is answered."""

from .console import Console as Console
from .models import Hit as Hit
from .models import Opened as Opened
from .models import Page as Page
