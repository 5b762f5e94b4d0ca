"""Promises about the whole: one list of dependencies for pip and conda, and who may import whom.

The imports are read from the source (ast), so a promise holds on paths too that no other test walks.
"""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

import labkit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "labkit"

# Where conda-forge has another name than PyPI.
CONDA_NAMES = {"docker": "docker-py", "matplotlib": "matplotlib-base"}
# Without a requirement in pyproject.toml: they come with what is named there.
COME_ALONG = {
    "requests": "docker",
    "PIL": "matplotlib",
    "IPython": "jupyterlab",
    "traitlets": "jupyterlab",
    "nbformat": "jupyterlab",
    "nbclient": "jupyterlab",
    "nbconvert": "jupyterlab",
    "mistune": "jupyterlab",
    "ipykernel": "jupyterlab",
    "jupyter_client": "jupyterlab",
    "pygments": "jupyterlab",
    "urllib3": "docker",
    "yarl": "aiohttp",
    "multidict": "aiohttp",
}


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def split(requirement: str) -> tuple[str, str]:
    """`docker>=7.1` -> ("docker", ">=7.1")"""
    name, version = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
    return name.lower(), version


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """The full name of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # from . import x
                parents = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                base = ".".join([*parents, base]) if base else ".".join(parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def importers(folder: Path, of: str) -> list[str]:
    """The files below `folder` that import the module `of` or something in it."""
    return [
        str(path.relative_to(ROOT))
        for path in modules(folder)
        if any(name == of or name.startswith(f"{of}.") for name in imports(path))
    ]


# --- dependencies ------------------------------------------------------------------------------------------------


def test_conda_gets_what_pip_gets() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = dict(split(line) for line in project()["dependencies"])
    expected = {CONDA_NAMES.get(name, name): version for name, version in pip.items()}
    expected |= {"python": project()["requires-python"], "pip": ""}
    assert dict(split(line) for line in environment["dependencies"]) == expected
    assert environment["channels"] == ["conda-forge"]


@pytest.mark.parametrize(("folder", "extras"), [("labkit", []), ("tests", ["test"])])
def test_what_is_imported_is_required(folder: str, extras: list[str]) -> None:
    """Every module that is neither Python's nor ours belongs to a package that pyproject.toml asks for."""
    lines = [*project()["dependencies"], *(line for e in extras for line in project()["optional-dependencies"][e])]
    required = {split(line)[0] for line in lines}
    tops = {name.partition(".")[0] for path in modules(ROOT / folder) for name in imports(path)}
    foreign = {top for top in tops - set(sys.stdlib_module_names) - {"labkit", "tests", "__future__", "_pytest"} if top}
    homes = packages_distributions()
    undeclared = {
        top
        for top in foreign
        if not {COME_ALONG.get(top, top).lower().replace("_", "-"), *(home.lower() for home in homes.get(top, []))}
        & required
    }
    assert undeclared == set()


def test_the_version_is_said_once() -> None:
    assert labkit.__version__ == project()["version"]


# --- who may import whom -----------------------------------------------------------------------------------------


def test_the_runtime_knows_no_engine() -> None:
    assert importers(PACKAGE / "runtime", of="labkit.engine") == []


def test_only_linux_py_calls_the_kernel_through_ctypes() -> None:
    assert importers(PACKAGE, of="ctypes") == ["labkit/linux.py"]


@pytest.mark.parametrize("room", ["views", "lessons"])
@pytest.mark.parametrize("closed", ["labkit.engine", "labkit.runtime", "labkit.linux"])
def test_views_and_lessons_reach_an_engine_through_the_sdk_alone(room: str, closed: str) -> None:
    """A table of names and numbers is no way to an engine: a check may read which bit is which capability."""
    table = importers(PACKAGE / room, of="labkit.runtime.capabilities") if closed == "labkit.runtime" else []
    assert [path for path in importers(PACKAGE / room, of=closed) if path not in table] == []


def test_the_promises_are_not_empty() -> None:
    """The tests above pass on an empty folder too; here they are shown something to find."""
    assert "labkit/connect.py" in importers(PACKAGE, of="labkit.engine")
    assert "labkit/connect.py" in importers(PACKAGE, of="docker")
    assert len(modules(PACKAGE / "runtime")) > 5


# --- the door ----------------------------------------------------------------------------------------------------

HEAVY = ["docker", "aiohttp", "matplotlib", "anywidget", "ipywidgets", "IPython", "labkit.engine"]


def test_importing_labkit_loads_nothing_heavy() -> None:
    script = f"import sys, labkit; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("name", labkit.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(labkit, name) is not None


def test_a_name_that_is_not_public_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'konnect'"):
        _ = labkit.konnect


def test_the_command_is_installed() -> None:
    said = subprocess.run([sys.executable, "-m", "labkit", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"labkit {labkit.__version__}\n"
    assert project()["scripts"] == {"labkit": "labkit.cli:main"}


# --- what README and Makefile speak of ----------------------------------------------------------------------------


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()))
def test_what_the_readme_links_to_is_there(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("module", re.findall(r"-m (tests\.[\w.]+)", (ROOT / "Makefile").read_text()))
def test_what_make_runs_is_there(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_the_readme_names_every_lesson_in_order() -> None:
    named = re.findall(r"\(notebooks/(\d\d_\w+\.ipynb)\)", (ROOT / "README.md").read_text())
    assert named == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
