"""README: the commands of "From a float model to a board in three commands" do what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_quantize_example import dataset

ROOT = Path(__file__).resolve().parent.parent
TITLE = "## From a float model to a board in three commands\n"


def blocks(language: str) -> str:
    """All blocks of the section in a language."""
    section = (ROOT / "README.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE))


def masked(line: str) -> str:
    """A line without the values of its figures, which other versions of tools may change."""
    return " ".join(re.sub(r"\d[\d,.]*", "#", line).split())


def test_the_walk_runs_and_says_what_the_readme_shows(tmp_path: Path) -> None:
    if not dataset.available():
        pytest.skip("Fashion-MNIST is missing: apt-get install dataset-fashion-mnist")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = blocks("sh").replace("\\\n", " ").splitlines()
    programs = {"python": [sys.executable], "patchloom": [sys.executable, "-m", "patchloom"]}
    said = []
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        done = subprocess.run(
            [*programs[program], *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        said += done.stdout.splitlines()
    assert [shlex.split(line)[:2][-1] for line in lines[1:4]] == ["quantize", "compile", "verify"]
    shown = blocks("text").splitlines()
    assert len(shown) > 5
    found = {masked(line) for line in said}
    assert [line for line in shown if masked(line) not in found] == []
    (accuracy,) = re.findall(r"on 200 samples: ([\d.]+) float, ([\d.]+) quantized", "\n".join(said))
    assert float(accuracy[0]) - float(accuracy[1]) <= 0.01
