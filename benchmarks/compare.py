"""Compare a training step of this package with PyTorch: straightforward, and tuned by hand.

    pip install 'copi-np[benchmarks]'
    python benchmarks/compare.py --network mnist --json compare-mnist.json

Every tool runs in its own process, since the threads of two BLAS libraries in one process would compete. They take
turns, each for about a second, and ratios compare measurements of the same turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import click
from tqdm import trange

HERE = Path(__file__).parent


@click.command()
@click.option("--network", default="mnist", show_default=True, help="mnist, cifar10, or units such as 784-500-10.")
@click.option("--image-shape", help="Shape of the images for convolutions, such as 3x32x32.")
@click.option("--batch-size", default=50, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--rounds", default=9, show_default=True)
@click.option("--python", default=sys.executable, help="Interpreter with PyTorch.  [default: this one]")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the results in a file.")
def main(
    network: str, image_shape: str | None, batch_size: int, threads: int, rounds: int, python: str, file: Path | None
) -> None:
    """Time training steps in turns, and print the medians of the ratios."""
    common = ["--network", network, "--batch-size", str(batch_size), "--threads", str(threads)]
    common += [] if image_shape is None else ["--image-shape", image_shape]
    times: dict[str, list[float]] = {"copi-np": [], "tuned": [], "straight": []}
    version = ""
    for _ in trange(rounds):
        times["copi-np"].append(run([sys.executable, str(HERE / "own.py"), *common])["milliseconds"])
        for kind in ("tuned", "straight"):
            result = run([python, str(HERE / "pytorch.py"), *common, "--kind", kind])
            times[kind].append(result["milliseconds"])
            version = result["torch"]
    ratios = {
        f"step_over_{kind}": [own / other for own, other in zip(times["copi-np"], times[kind], strict=True)]
        for kind in ("tuned", "straight")
    }
    medians = {name: median(values) for name, values in ratios.items()}
    milliseconds = {name: median(values) for name, values in times.items()}
    click.echo("\n".join(f"{name:12}{value:10.3f} ms" for name, value in milliseconds.items()))
    click.echo("\n".join(f"{name.replace('_', ' ')}: {value:.3f}" for name, value in medians.items()))
    if file is not None:
        settings = {
            "network": network,
            "image_shape": image_shape,
            "batch_size": batch_size,
            "threads": threads,
            "rounds": rounds,
        }
        record = {**settings, "torch": version, "milliseconds": milliseconds, **medians, "ratios": ratios}
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def run(command: list[str]) -> dict[str, Any]:
    """Run a command, and return the JSON that it prints."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(output)
    return result


if __name__ == "__main__":
    main()
