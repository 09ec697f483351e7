"""Copy tables of results into the pages that show them: the Nth table of a file goes between
``<!-- table PATH N -->`` and ``<!-- end -->``.

    python tools/embed_tables.py            # after new results
    python tools/embed_tables.py --check    # changes nothing; fails if a page is out of date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/reproduction.md", "docs/performance.md")
PLACE = re.compile(r"(<!-- table (\S+) (\d+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables_of(text: str) -> list[str]:
    """Return all tables of a Markdown page, in order."""
    return re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)


def embedded(text: str) -> str:
    """Return the page with its tables as they are in the results."""

    def table(place: re.Match[str]) -> str:
        begin, path, number, end = place.groups()
        found = tables_of((ROOT / path).read_text(encoding="utf-8"))
        return f"{begin}\n{found[int(number) - 1]}\n{end}"

    return PLACE.sub(table, text)


def main(check: bool) -> int:
    """Update all pages, or name those that are out of date; return the exit code."""
    outdated = []
    for name in PAGES:
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        if embedded(text) != text:
            outdated.append(name)
            if not check:
                page.write_text(embedded(text), encoding="utf-8")
    if outdated and check:
        print(f"{', '.join(outdated)}: run python tools/embed_tables.py", file=sys.stderr)
    return int(bool(outdated) and check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
