"""Put the counts of results/quality/fuzz/record.json into docs/reliability.md; the last step of `make fuzz`."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
PLACE = re.compile(r"(<!-- fuzzed -->\n).*?(<!-- /fuzzed -->)", re.DOTALL)
HEADER = "| reader | inputs | rounds | branches | MB at most |\n|---|---|---|---|---|\n"


def main() -> None:
    """Replace the table."""
    record = json.loads((ROOT / "results" / "quality" / "fuzz" / "record.json").read_text(encoding="utf-8"))
    rounds = [each for found in record.values() for each in found]
    packages = ("atheris", "python", "numpy")
    atheris, python, numpy = (", ".join(sorted({each[name] for each in rounds})) for name in packages)
    text = (
        f"Rounds without a finding, until {max(each['date'] for each in rounds)}, with Atheris {atheris} (libFuzzer) "
        f"on Python {python} and NumPy {numpy}.\nEach round has its own seed; branches are those that its inputs "
        "reached:\n\n"
    )
    rows = [
        f"| `{name}` | {sum(each['inputs'] for each in found):,} | {len(found)} | "
        f"{max(each['branches'] for each in found)} | {max(each['peak_mb'] for each in found)} |\n"
        for name, found in record.items()
    ]
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda m: m[1] + text + HEADER + "".join(rows) + m[2], page), encoding="utf-8")


if __name__ == "__main__":
    main()
