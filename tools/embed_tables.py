"""Puts tables of results into the pages that show them: between ``<!-- table PATH N -->`` and ``<!-- end -->`` stands
the Nth table of that file.

    python tools/embed_tables.py            # after new results
    python tools/embed_tables.py --check    # changes nothing; fails where a page is behind its results
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/reproduction.md", "docs/performance.md")
PLACE = re.compile(r"(<!-- table (\S+) (\d+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables_of(text: str) -> list[str]:
    """All tables of a page in Markdown, in their order."""
    return re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)


def embedded(text: str) -> str:
    """The page with its tables as they are in the results."""

    def table(place: re.Match[str]) -> str:
        begin, path, number, end = place.groups()
        found = tables_of((ROOT / path).read_text(encoding="utf-8"))
        return f"{begin}\n{found[int(number) - 1]}\n{end}"

    return PLACE.sub(table, text)


def main(check: bool) -> int:
    """Bring all pages up to date, or say which are not; the exit code."""
    behind = []
    for name in PAGES:
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        if embedded(text) != text:
            behind.append(name)
            if not check:
                page.write_text(embedded(text), encoding="utf-8")
    if behind and check:
        print(f"{', '.join(behind)}: run python tools/embed_tables.py", file=sys.stderr)
    return int(bool(behind) and check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
