"""Make the tables of docs/performance.md, from the records in results/speed and the counts of `estimate.py`.

python benchmarks/tables.py             # writes results/speed/tables.md; then: python tools/embed_tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from estimate import table as estimates

from copi_np.experiments.summary import statistic
from copi_np.experiments.tables import markdown_table, plus_minus
from copi_np.experiments.to_accuracy import SPLITS

SPEED = Path(__file__).parents[1] / "results" / "speed"
STEPS = ("mnist", "cifar10", "mnist-fa", "mnist-adam", "cifar10-adam", "mnist-conv", "cifar10-conv")
CHEAPER = ("", "-samples5", "-rest", "-bp", "-adam")
TO_ACCURACY = ("mnist", "fashion", "cifar10", "cifar10-deep")


def record(name: str) -> dict[str, Any]:
    """Read a record."""
    found: dict[str, Any] = json.loads((SPEED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def steps() -> str:
    """Return the table of steps and their products."""
    rows = []
    for name in STEPS:
        found = record(name)
        times = found["milliseconds"]
        equations = found.get("equations_over_floor", found.get("straight_over_floor"))  # its name in older records
        rows.append([
            "-".join(map(str, found["sizes"])),
            found["method"],
            f"{found['gflop']:.2f}",
            f"{times['floor']:.1f}",
            f"{times['step']:.1f}",
            f"{found['step_over_floor']:.2f}",
            "" if equations is None else f"{equations:.2f}",
            f"{found['unfolded_over_folded']:.2f}",
        ])  # fmt: skip
    header = ["layers", "method", "GFLOP", "products ms", "step ms", "step / products"]
    return markdown_table([*header, "equations / products", "unfolded / folded"], rows)


def pytorch() -> str:
    """Return the table of this package and PyTorch."""
    rows = []
    for name in ("mnist", "cifar10", "deep", "mnist-conv"):
        found = record(f"compare-{name}")
        times = [f"{found['milliseconds'][tool]:.1f}" for tool in ("copi-np", "tuned", "straight")]
        rows.append([name, *times, *(f"{found[f'step_over_{kind}']:.2f}" for kind in ("tuned", "straight"))])
    header = ["network", "copi-np ms", "PyTorch, tuned ms", "PyTorch, straight ms"]
    return markdown_table([*header, "step / tuned", "step / straight"], rows)


def scaling(varied: str) -> str:
    """Return the table of COPI and gradient descent as one size varies."""
    rows = [row for row in record("scaling")["steps"] if row["varied"] == varied]
    table = []
    for value in dict.fromkeys(row[varied] for row in rows):
        copi, bp = (next(r for r in rows if r["method"] == m and r[varied] == value) for m in ("copi-bp", "bp"))
        table.append([
            str(value),
            f"{copi['gflop']:.3g}",
            f"{copi['step']:.3g}",
            f"{copi['gflop'] / copi['step'] * 1e3:.0f}",
            f"{copi['step_over_floor']:.2f}",
            f"{bp['step']:.3g}",
            f"{copi['step'] / bp['step']:.2f}",
        ])  # fmt: skip
    header = [varied, "GFLOP", "COPI ms", "GFLOP/s", "step / products", "BP (SGD) ms", "COPI / BP"]
    return markdown_table(header, table)


def by_C() -> str:
    """Return the table of the time of R's update by products with the batch, over that of building C."""
    found = record("scaling")["C"]
    batches = list(dict.fromkeys(row["batch"] for row in found))
    rows = []
    for width in dict.fromkeys(row["width"] for row in found):
        ratios = {row["batch"]: row["products_over_C"] for row in found if row["width"] == width}
        rows.append([str(width), *(f"{ratios[batch]:.2f}" for batch in batches)])
    return markdown_table(["units", *(f"batch {batch}" for batch in batches)], rows)


def cheaper() -> str:
    """Return the table of steps that spend less on decorrelation, and of gradient descent and Adam without any."""
    rows = []
    for network in ("mnist", "cifar10", "deep"):
        full = record(network)
        for found in (record(network + ending) for ending in CHEAPER):
            samples = found["decorrelation_samples"] or found["batch_size"]
            learns = "frozen" if found["rest_R"] else f"{samples} of {found['batch_size']}"
            rows.append([
                "-".join(map(str, found["sizes"])),
                found["method"],
                learns if found["method"].startswith("copi") else "no R",
                f"{found['gflop']:.2f}",
                f"{found['milliseconds']['step']:.1f}",
                f"{found['milliseconds']['step'] / full['milliseconds']['step']:.2f}",
                f"{found['step_over_floor']:.2f}",
            ])  # fmt: skip
    header = ["layers", "method", "R learns from", "GFLOP", "step ms", "of the paper's step", "step / products"]
    return markdown_table(header, rows)


def backends() -> str:
    """Return the table of NumPy and PyTorch under the same code."""
    rows = [
        [
            found["network"],
            found["method"],
            *(f"{found['milliseconds'][name][kind]:.1f}" for name in ("numpy", "torch") for kind in ("floor", "step")),
            *(f"{found['step_over_floor'][name]:.2f}" for name in ("numpy", "torch")),
            f"{found['torch_over_numpy']['step']:.2f}",
        ]
        for found in record("backends")["steps"]
    ]
    columns = [f"{library}, {kind} ms" for library in ("NumPy", "PyTorch") for kind in ("products", "step")]
    ratios = ["NumPy, step / products", "PyTorch, step / products", "PyTorch / NumPy, step"]
    return markdown_table(["network", "method", *columns, *ratios], rows)


def to_accuracy(name: str) -> str:
    """Return the table of epochs and seconds until networks reach two accuracies, and the ratios to COPI's seconds."""
    found = {split: record(f"to-accuracy/{name}-{split}") for split in ("validation", "train")}
    configs = {run["label"]: run["config"] for run in found["validation"]["runs"]}
    rows = []
    for label, config in configs.items():
        cells = [cell for each in found.values() for cell in reaching(each["runs"], label)]
        rows.append([label, f"{config['eta_W']:g}", *cells])
    theirs = {split: in_pytorch(f"pytorch-{name}-{split}") for split in found}
    if any(theirs.values()):
        cells = [cell for runs in theirs.values() for cell in (reaching(runs, "PyTorch") if runs else ["", "", ""])]
        rows.append(["BP (Adam) in PyTorch", f"{configs['BP (Adam)']['eta_W']:g}", *cells])
    header = ["method", "step size"]
    for split, each in found.items():
        header += [f"{100 * each['accuracy']:g} % of the {SPLITS[split]} samples: epochs", "seconds", "ratio"]
    return markdown_table(header, rows)


def reaching(runs: list[dict[str, Any]], label: str) -> list[str]:
    """Return the epochs and seconds that a method took, and the ratio to COPI's; or how far it got."""
    ours = [run for run in runs if run["label"] == label]
    reached = [run for run in ours if run["epochs"] is not None]
    if not reached:
        best = statistic(100 * max(run["by_epoch"]["accuracy"]) for run in ours)
        return [f"not in {ours[0]['config']['epochs']}: {plus_minus(best, 1)} % at best", "", ""]
    epochs, seconds = (plus_minus(statistic(run[name] for run in reached), 1) for name in ("epochs", "seconds"))
    copi = {run["config"]["seed"]: run["seconds"] for run in runs if run["label"] == "COPI (BP)"}
    pairs = [(run["seconds"], copi.get(run["config"]["seed"])) for run in reached]
    ratios = [one / other for one, other in pairs if other is not None]
    share = "" if len(reached) == len(ours) else f" ({len(reached)} of {len(ours)})"
    return [epochs + share, seconds, plus_minus(statistic(ratios), 2) if ratios else ""]


def in_pytorch(name: str) -> list[dict[str, Any]]:
    """Return the records of PyTorch, one per seed; they were not timed in turns with the others."""
    files = sorted((SPEED / "to-accuracy").glob(f"{name}-seed*.json"))
    return [{"label": "PyTorch", **json.loads(file.read_text(encoding="utf-8"))} for file in files]


def all_tables() -> str:
    """Return the whole file."""
    tables = [
        steps(),
        pytorch(),
        *map(scaling, ("width", "batch", "depth")),
        by_C(),
        estimates(),
        cheaper(),
        backends(),
        *map(to_accuracy, TO_ACCURACY),
    ]
    return "# Tables of speed\n\nMade by benchmarks/tables.py.\n\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    (SPEED / "tables.md").write_text(all_tables(), encoding="utf-8")
