"""The command line run inside the test process: quick, and its output at hand."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchloom.cli import main


@dataclass(frozen=True)
class Result:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def patchloom(*arguments: str | Path | int) -> Result:
    """Run `patchloom ARGUMENTS`; a traceback on the way is a failure here."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    result = Result(code, out.getvalue(), err.getvalue())
    assert "Traceback" not in result.err + result.out, result.err
    assert "should not have happened" not in result.err, result.err
    return result


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
