"""`python -m tests.prose`, or `make prose`: how each page reads, and what is wrong in it. Status 1 if anything is."""

import sys

from tests.prose.findings import dead_links, misspelt, reading
from tests.prose.pages import materials, pages


def main() -> int:
    """Print a line for each page, then what must be mended."""
    print(f"{'page':48} {'words':>6} {'cell':>5} {'longest':>8} {'sentence':>9} {'grade':>6}")
    wrong = []
    for page in [*pages(), *materials()]:
        found = reading(page)
        print(
            f"{page.name:48} {found.words:6} {found.median_cell:5.0f} {found.longest_cell:8}"
            f" {found.sentence:9.1f} {found.grade:6.1f}"
        )
        wrong += [f"{page.name}: is {word!r} a word? (tests/prose/words.txt)" for word in sorted(misspelt(page))]
        wrong += [f"{page.name}: {target} leads nowhere" for target in dead_links(page)]
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
