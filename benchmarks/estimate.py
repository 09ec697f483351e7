"""Estimate the cost of a layer of n inputs and n outputs, in operations and in memory, up to n = 65,536.

    python benchmarks/estimate.py

prints the tables of docs/performance.md. Nothing is measured here: operations and passes over the weights are counted,
and divided by the figures in NVIDIA's data sheet for an H100 SXM, 67 TFLOP/s in float32 and 3.35 TB/s.
"""

from __future__ import annotations

from typing import Final, NamedTuple

FLOPS: Final = 67e12
BANDWIDTH: Final = 3.35e12
GPU_MEMORY: Final = 80e9
BATCH: Final = 50
WIDTHS: Final = (1024, 4096, 16384, 65536)
BLOCK: Final = 1024


class Method(NamedTuple):
    """Counts per layer and step: products with W and with R, passes over the memory of each, and matrices stored.

    A product reads its matrix once; an update reads and writes it. COPI: forward, backward and update for W; forward,
    backward, x R and the update for R. Adam: forward, backward and the product for W, whose update reads and writes
    W and both running means.
    """

    name: str
    products_W: int
    products_R: int
    passes_W: int
    passes_R: int
    kept_W: int
    kept_R: int


METHODS: Final = (
    Method("BP (SGD)", 3, 0, 4, 0, 1, 0),
    Method("BP (Adam)", 3, 0, 8, 0, 3, 0),
    Method("COPI", 3, 4, 4, 5, 1, 1),
)


def cost(method: Method, n: int, block: int | None = None) -> tuple[float, float, float]:
    """Return milliseconds by operations, milliseconds by memory, and gigabytes stored, for one layer."""
    W, R = n * n, n * (block or n)
    flop = 2 * BATCH * (method.products_W * W + method.products_R * R)
    moved = 4 * (method.passes_W * W + method.passes_R * R)
    kept = 4 * (method.kept_W * W + method.kept_R * R)
    return 1e3 * flop / FLOPS, 1e3 * moved / BANDWIDTH, kept / 1e9


def table() -> str:
    """Return a table of all methods and widths in Markdown."""
    rows = [["method", *(f"n = {n:,}" for n in WIDTHS)], ["---"] * (1 + len(WIDTHS))]
    cases = [(method.name, method, None) for method in METHODS]
    cases.append((f"COPI, R in blocks of {BLOCK:,}", METHODS[-1], BLOCK))
    for name, method, block in cases:
        cells = [cost(method, n, block) for n in WIDTHS]
        rows.append([name, *(f"{flop:.2g} / {moved:.2g} ms, {kept:.2g} GB" for flop, moved, kept in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def widest() -> int:
    """Return the largest n whose R alone fits into the memory of that GPU."""
    return int((GPU_MEMORY / 4) ** 0.5)


if __name__ == "__main__":
    print(table())
    print(f"\nR alone fills {GPU_MEMORY / 1e9:.0f} GB at n = {widest():,}")
