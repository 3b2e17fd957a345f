"""docs/adding_an_operator.md: its blocks, applied to a copy of the package, give an exact operator."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "adding_an_operator.md"
TESTS = ("test_operators.py", "strategies.py", "tutorial_run.py")

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INTRODUCTION = re.compile(
    r"In `(?P<path>[^`]+)`(?: \(new file\)|, (?P<how>before|instead of) the line `(?P<line>[^`]+)`):"
)


@dataclass(frozen=True)
class Edit:
    """One block: a whole new file, or lines before or instead of a line of `path` (indent apart)."""

    path: str
    how: str
    line: str
    text: str

    def apply(self, root: Path) -> None:
        file = root / self.path
        if not self.how:
            assert not file.exists(), f"{self.path} exists: the page needs another example"
            file.parent.mkdir(exist_ok=True)
            file.write_text(self.text)
            return
        lines = file.read_text().splitlines(keepends=True)
        found = [i for i, text in enumerate(lines) if text.strip() == self.line]
        assert len(found) == 1, f"{self.path} has {len(found)} lines {self.line!r}, the page says one"
        (at,) = found
        lines[at : at + (self.how == "instead of")] = [self.text]
        file.write_text("".join(lines))


def blocks(page: str, *languages: str) -> list[re.Match[str]]:
    """Fenced blocks in these languages."""
    return [m for m in _BLOCK.finditer(page) if m["language"] in languages]


def edits(page: str) -> list[Edit]:
    """What the page says to write: every block of Python or C, each under a line that says where."""
    found = []
    for block in blocks(page, "python", "c"):
        above = page[: block.start()].rstrip().rpartition("\n")[2]
        where = _INTRODUCTION.fullmatch(above)
        assert where, f"no file is named above the block {block['text'][:60]!r}, but {above!r}"
        found.append(Edit(where["path"], where["how"] or "", where["line"] or "", block["text"]))
    return found


def copy_package(root: Path) -> None:
    """The package's folders and top-level modules, and the tests that the page relies on."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    names = [name.removeprefix("patchloom.") for name in tool["packages"] if name != "patchloom"]
    for folder in sorted({p.partition(".")[0] for p in names} | {"runtime_c"}):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in [*ROOT.glob("*.py"), ROOT / "pyproject.toml"]:
        shutil.copy(file, root)
    (root / "tests").mkdir()
    for name in TESTS:
        shutil.copy(ROOT / "tests" / name, root / "tests")


def run(root: Path, *command: str) -> str:
    """Output of a Python command in the copy; the test fails with it when the command fails."""
    environment = {**os.environ, "PYTHONPATH": str(root.parent), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", pytrace=False)
    return done.stdout


def test_the_operator_of_the_tutorial_is_exact_and_does_what_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text()
    root = tmp_path / "patchloom"
    root.mkdir()
    copy_package(root)
    changes = edits(page)
    for edit in changes:
        edit.apply(root)
    sources = sorted({e.path for e in changes if e.path.endswith(".py")})
    run(root, "-m", "ruff", "check", *sources)
    run(root, "-m", "ruff", "format", "--check", *sources)
    commands = [line for block in blocks(page, "sh") for line in block["text"].splitlines()]
    output = run(root, "tests/tutorial_run.py", "abs", *commands)
    shown = blocks(page, "text")
    assert shown and all(block["text"] in output for block in shown), output


def test_a_block_that_names_no_place_or_a_line_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no file is named"):
        edits("Somewhere:\n\n```python\nx = 1\n```\n")
    (tmp_path / "a.py").write_text("x = 1\n")
    for line in ("x = 2", "x"):
        with pytest.raises(AssertionError, match="0 lines"):
            Edit("a.py", "before", line, "y = 2\n").apply(tmp_path)
    Edit("a.py", "before", "x = 1", "y = 2\n").apply(tmp_path)
    assert (tmp_path / "a.py").read_text() == "y = 2\nx = 1\n"


def test_the_table_of_the_page_names_every_file_it_touches() -> None:
    page = PAGE.read_text()
    table = "".join(line for line in page.splitlines() if line.startswith("|"))
    for edit in edits(page):
        assert f"`{edit.path}`" in table or f"`{Path(edit.path).name}`" in table or "build/" in edit.path
