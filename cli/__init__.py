"""The `patchloom` command: options and printing; all work is done by `patchloom.api`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from ..errors import UserError
from .app import app
from .output import print_error

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: exit code 0 on success, 1 when the answer is "no", 2 on bad input.

    arguments   of the command, by default those of the process
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names from models need not suit the terminal
    try:
        app(arguments, prog_name="patchloom")
    except UserError as e:
        print_error(e)
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as e:
        if os.environ.get("PATCHLOOM_TRACEBACK"):
            raise
        print_error(
            UserError(
                "this should not have happened: a defect of patchloom, or the machine is out of resources",
                found=f"{type(e).__name__}: {e}",
                hint="PATCHLOOM_TRACEBACK=1 in the environment shows where; please report it",
            )
        )
        sys.exit(2)
