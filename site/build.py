"""The lessons as a static site, with their stored outputs: `make site`, or `python site/build.py [FOLDER]`.

The pages are gathered in a folder first, because a lesson links to files of labkit (`../labkit/...`): each of these
becomes a page that shows it. Left out: running anything, the outputs are as stored.
"""

import re
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
NOTEBOOKS = ROOT / "notebooks"
FOLDER = ROOT / "build" / "site"
TO_SOURCE = re.compile(r"\]\(\.\./([\w./-]+?)(#[\w-]*)?\)")  # a Markdown link from a notebook to a file outside
LANGUAGES = {".py": "python", ".js": "javascript", ".css": "css", ".md": "markdown"}
FENCE = "~~~~~~"  # longer than any in the files that are shown
FIRST_PAGE = """# Working with containers

Interactive lessons that run real containers. Here you read them with the outputs that they print; to run them, get the
course. Begin with [the list of lessons](README.md) or with [Start here](00_start_here.ipynb).
"""
PAGES = ("README.md", "instructors.md", "glossary.md")  # beside the lessons


def gather(source: Path) -> None:
    """Copy the pages to an empty folder, with their links to code turned to pages of that code."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(NOTEBOOKS, source, ignore=shutil.ignore_patterns("extra", ".ipynb_checkpoints"))
    linked: set[str] = set()
    for path in [*source.glob("*.ipynb"), *source.glob("*.md")]:
        path.write_text(_linked(path.read_text("utf-8"), linked), "utf-8")
    for target in sorted(linked):
        _show(target, source)
    (source / "index.md").write_text(_contents(source), "utf-8")


def _linked(text: str, linked: set[str]) -> str:
    """The text with its links to files turned to pages below `source/`; the files are added to `linked`."""

    def link(found: re.Match[str]) -> str:
        target = ROOT / found[1]
        if target.is_dir():
            target /= "__init__.py"  # its docstring says what the folder holds
        name = str(target.relative_to(ROOT))
        linked.add(name)
        return f"](source/{name}.md)"

    return TO_SOURCE.sub(link, text)


def _show(target: str, source: Path) -> None:
    """A page with the text of one file."""
    page = source / "source" / f"{target}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    language = LANGUAGES.get(Path(target).suffix, "text")
    text = (ROOT / target).read_text("utf-8")
    page.write_text(f"---\norphan: true\n---\n\n# {target}\n\n{FENCE}{language}\n{text}\n{FENCE}\n", "utf-8")


def _contents(source: Path) -> str:
    """The first page: the index of the lessons, and the list of all pages for the side bar."""
    lessons = sorted(path.name for path in source.glob("[0-9][0-9]_*.ipynb"))
    pages = [name for name in PAGES if (source / name).is_file()]
    listed = "\n".join([*lessons, *pages])
    return f"{FIRST_PAGE}\n```{{toctree}}\n:hidden:\n{listed}\n```\n"


def main(folder: Path = FOLDER) -> int:
    """Build the site into a folder; Sphinx's status. Any warning is an error."""
    source = folder.with_name(folder.name + "-source")
    gather(source)
    return sphinx(["-q", "-W", "--keep-going", "-c", str(HERE), "-b", "html", str(source), str(folder)])


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
