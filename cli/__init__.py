"""The `patchloom` command: options and printing; all work is done by `patchloom.api`."""

from __future__ import annotations

import sys

from ..errors import UserError
from .app import app
from .output import print_error


def main() -> None:
    """Entry point: exit code 0 on success, 1 when the answer is "no", 2 on bad input."""
    try:
        app(standalone_mode=True)
    except UserError as e:
        print_error(e)
        sys.exit(e.exit_code)
