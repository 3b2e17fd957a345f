"""The shape of the project: import direction, packaging, kernels, documented commands."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from patchloom.cli.app import app
from patchloom.codegen import KERNELS
from typer.main import get_command

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = ("tests", "examples", "benchmarks", "tools")
# What each part of the package may import. The tree is the pipeline: later parts never are imported by
# earlier ones.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "ir": {"errors"},
    "boards": {"errors"},
    "frontend": {"errors", "ir"},
    "export": {"errors", "ir", "frontend"},
    "passes": {"errors", "ir"},
    "codegen": {"errors", "ir", "boards", "frontend", "passes"},
    "emulation": {"errors", "ir", "boards", "frontend", "export", "passes", "codegen"},
    "folder": {"errors", "codegen", "passes"},
    "comparison": {"errors", "ir", "frontend", "passes", "codegen", "emulation", "folder"},
    "quantization": {"errors", "ir", "frontend", "export", "passes", "quantization_check"},
    "quantization_check": {"errors", "ir", "frontend", "export", "passes"},
    "survey": {"errors", "ir", "boards", "passes", "codegen", "emulation"},
    "prediction": {"ir", "boards", "passes", "codegen"},
    "nas": {"errors", "ir", "api"},
    "api": {
        "errors",
        "ir",
        "boards",
        "frontend",
        "export",
        "passes",
        "codegen",
        "emulation",
        "folder",
        "comparison",
        "prediction",
        "quantization",
        "survey",
    },
    "cli": {"errors", "boards", "emulation", "comparison", "quantization", "nas", "api"},
    "__init__": {"api"},
    "__main__": {"cli"},
}


@functools.cache
def project_files() -> tuple[Path, ...]:
    """Files of the project, relative to its root: tracked ones, and new ones that are not ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(p for p in map(Path, listed.splitlines()) if (ROOT / p).is_file()))


def package_files() -> Iterator[Path]:
    """Python files of the package, relative to the root."""
    return (p for p in project_files() if p.suffix == ".py" and p.parts[0] not in OUTSIDE)


def packages() -> set[Path]:
    return {p.parent for p in package_files() if p.name == "__init__.py"}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(level, dotted module) of every import statement of a file; `from . import x` gives x."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((node.level, module) for module in modules)


def parts_imported(path: Path) -> Iterator[str]:
    """Parts of the package (first level below the root) that a file imports relatively."""
    for level, module in imports_of(path):
        if level:
            base = path.parts[:-level]
            yield (*base, *module.split("."))[0]


def test_imports_point_one_way() -> None:
    wrong = {}
    for path in package_files():
        part = path.parts[0].removesuffix(".py")
        allowed = MAY_IMPORT.get(part, set()) | {part, "__version__"}
        if extra := set(parts_imported(path)) - allowed:
            wrong[str(path)] = extra
    assert wrong == {}


def test_every_part_of_the_package_has_a_place_in_the_import_order() -> None:
    parts = {p.parts[0].removesuffix(".py") for p in package_files()}
    assert parts == set(MAY_IMPORT)
    # an order exists in which every part imports earlier ones only
    placed: set[str] = set()
    while ready := {p for p, needs in MAY_IMPORT.items() if p not in placed and needs <= placed}:
        placed |= ready
    assert placed == set(MAY_IMPORT)


def test_the_package_is_imported_relatively_inside_and_by_its_name_outside() -> None:
    parts = {p.parts[0].removesuffix(".py") for p in package_files()} - {"__init__", "__main__"}
    wrong = []
    for path in project_files():
        if path.suffix == ".py":
            own = {p.stem for p in project_files() if p.parent == path.parent and path.parts[0] in OUTSIDE}
            tops = {module.split(".")[0] for level, module in imports_of(path) if level == 0}
            inside = path.parts[0] not in OUTSIDE
            wrong += [(str(path), top) for top in tops & parts - own]
            wrong += [(str(path), "patchloom")] if inside and "patchloom" in tops else []
    assert wrong == []


def test_no_module_of_the_tests_is_called_like_a_part_of_the_package() -> None:
    names = {p.stem for p in project_files() if p.parts[0] in OUTSIDE and p.suffix == ".py"}
    assert names & set(MAY_IMPORT) - {"__init__"} == set()


def test_pytest_sees_no_package_in_tests_and_no_conftest_in_the_root() -> None:
    assert not [p for p in project_files() if p.parts[0] == "tests" and p.name == "__init__.py"]
    assert not (ROOT / "conftest.py").exists()


def test_pyproject_lists_exactly_the_packages_there_are() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {Path(*name.split(".")[1:]) for name in listed} == packages()


def test_package_data_covers_every_file_the_package_needs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    matched = {p.relative_to(ROOT) for g in settings["package-data"]["patchloom"] for p in ROOT.glob(g)}
    folders = {p.parts[0] for p in packages() if p.parts} | {"runtime_c"}
    needed = {p for p in project_files() if p.parts[0] in folders and p.suffix != ".py"}
    assert {p.suffix for p in needed} >= {".toml", ".j2", ".h", ".c"}
    assert needed - matched == set()


def kernel_headers() -> list[Path]:
    return sorted(p.relative_to(ROOT) for p in (ROOT / "runtime_c").rglob("*.h"))


@pytest.mark.parametrize("path", kernel_headers(), ids=str)
def test_kernel_headers_hold_static_functions_with_a_comment_above(path: Path) -> None:
    text = (ROOT / path).read_text()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert "#pragma once" in code
    assert not re.search(r"\b(malloc|calloc|free|printf|alloca)\s*\(", code)
    definitions = re.findall(r"^(\w[\w *]*?)(\w+)\([^;{}]*\)\s*\{", code, re.MULTILINE)
    assert all("static" in kind and name.startswith("pl_") for kind, name in definitions)
    if definitions:
        first = re.search(r"^[\w ]*\bstatic [^;]*?\{", text, re.MULTILINE)
        assert first and "*/" in text[: first.start()]
    else:
        assert code.count("#include") >= 2, "a header without a function combines others"


def test_kernels_are_called_like_their_headers() -> None:
    assert {k.name for k in KERNELS} == {f"pl_{Path(k.header).stem}" for k in KERNELS}
    assert {k.header for k in KERNELS} <= {str(p.relative_to("runtime_c")) for p in kernel_headers()}


def test_variants_of_an_instruction_set_carry_its_name_and_lie_in_its_folder() -> None:
    for kernel in KERNELS:
        folder, variant = Path(kernel.header).parent.name, kernel.name.partition("__")[2]
        assert variant.split("_")[0] == ("" if folder == "portable" else folder), kernel.name


def documented_commands() -> Iterator[tuple[Path, str]]:
    for path in project_files():
        if path.suffix == ".md":
            text = (ROOT / path).read_text()
            for block in re.findall(r"^```(?:sh|console|bash)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
                for line in block.splitlines():
                    if command := re.match(r"\s*(?:\$ )?(?:\S*/)?patchloom (.*)", line):
                        yield path, command.group(1).split("#")[0]
            yield from ((path, c) for c in re.findall(r"`patchloom ([^`]+)`", text))


def test_documents_mention_only_commands_and_options_that_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {n: {o for p in c.params for o in p.opts} | {"--help"} for n, c in commands.items()}
    found = list(documented_commands())
    assert found
    for path, text in found:
        command, *rest = text.split()
        assert command in options or command == "--version", f"{path}: patchloom {text}"
        used = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert used <= options.get(command, set()), f"{path}: patchloom {text}"


def test_the_readme_names_every_command_and_its_options_exist() -> None:
    text = (ROOT / "README.md").read_text()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    known = {o for c in commands.values() for p in c.params for o in p.opts}
    assert set(re.findall(r"`(--[a-z][a-z-]*)", text)) <= known
    assert all(re.search(rf"`{name}\b", text) for name in commands)


FORBIDDEN = tuple("/" + folder + "/" for folder in ("home", "root", "Users"))
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")


def test_no_file_holds_paths_of_a_machine_or_unfinished_work() -> None:
    wrong = []
    for path in project_files():
        data = (ROOT / path).read_bytes()
        words = FORBIDDEN + (UNFINISHED if path.suffix in (".py", ".h", ".c", ".j2", ".sh") else ())
        wrong += [(str(path), word) for word in words if word.encode() in data]
    assert wrong == []


def test_files_stay_readable() -> None:
    long = {}
    for path in project_files():
        if path.suffix in (".py", ".c", ".h"):
            lines = (ROOT / path).read_text().count("\n")
            if lines > (700 if path.parts[0] == "tests" else 400):
                long[str(path)] = lines
    assert long == {}


def test_functions_stay_short() -> None:
    """Command functions may be longer: their parameters are the documentation of the options."""
    long = {}
    for path in package_files():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > 50:
                    long[f"{path}:{node.name}"] = lines
    assert long == {}


def test_a_checkout_in_a_folder_of_another_name_passes_tests_and_type_check(tmp_path: Path) -> None:
    """The repository root is the package, whatever the folder is called."""
    copy = tmp_path / "a-b"
    for path in project_files():
        if path.parts[0] not in ("benchmarks", "examples"):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy / path)
    links = tmp_path / "links"
    links.mkdir()
    (links / "patchloom").symlink_to(copy)
    (copy / "tests" / "test_where.py").write_text(
        "import patchloom.errors\nfrom pathlib import Path\n\n\n"
        "def test_where() -> None:\n"
        f"    assert Path(patchloom.errors.__file__).resolve().parent == Path({str(copy)!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(links), "PYTHONDONTWRITEBYTECODE": "1"}
    python = [sys.executable, "-m"]
    tests = [*python, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_where.py", "tests/test_boards.py"]
    types = [*python, "mypy", "--config-file", str(copy / "pyproject.toml")]
    types += ["--cache-dir", str(tmp_path / "cache"), "-p", "patchloom.errors", "-p", "patchloom.boards"]
    for command, where in ((tests, copy), (types, links)):
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
