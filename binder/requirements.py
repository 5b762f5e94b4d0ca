"""For the Dockerfile: print what pyproject.toml requires, so that a change in labkit itself installs nothing anew.

requirements.py PYPROJECT    one requirement a line, as pip reads them
requirements.py --slim VENV  remove from an environment what no lesson needs: packages' own tests, a hub's own pages
"""

import shutil
import sys
import tomllib
from pathlib import Path

USELESS = (
    "numpy/**/tests", "matplotlib/tests", "matplotlib/**/sample_data", "mpl_toolkits/**/tests", "sqlalchemy/testing",
    "setuptools", "setuptools-*", "pkg_resources", "_distutils_hack", "distutils-precedence.pth",
)  # fmt: skip


def required(pyproject: Path) -> list[str]:
    """The requirements of the package, without its extras."""
    return list(tomllib.loads(pyproject.read_text())["project"]["dependencies"])


def slim(venv: Path) -> None:
    """Remove what `USELESS` names from the environment."""
    (packages,) = venv.glob("lib/python3*/site-packages")
    for path in [*venv.glob("share/jupyterhub/static"), *(path for name in USELESS for path in packages.glob(name))]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1] == "--slim":
        slim(Path(sys.argv[2]))
    else:
        print("\n".join(required(Path(sys.argv[1]))))
