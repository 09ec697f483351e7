"""Fuzz the readers with Atheris, which is guided by code coverage: ``make fuzz``.

    python tests/storage/fuzz                              # all readers; updates the record in results/
    python tests/storage/fuzz --runs 250000 --seed 2       # another round
    python tests/storage/fuzz --runs 20000 idx run.json    # some of them
    python tests/storage/fuzz --one idx SEED RUNS          # one, in this process; options of libFuzzer may follow

Findings are written to fuzz/crashes; make each a test in tests/storage/test_damage.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / "fuzz"  # seeds, crashes and logs, not committed
RECORD = ROOT / "results" / "quality" / "fuzz" / "record.json"
INSTRUMENTED = ["copi_np", "zipfile", "gzip", "tarfile", "tomllib", "json"]
MEGABYTES = 1024
SECONDS = 20


def fuzz_one(name: str, seed: int, runs: int, arguments: list[str]) -> None:
    """Fuzz one reader in this process, and exit."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from targets import TARGETS, outcome
    warnings.simplefilter("ignore")
    target = TARGETS[name]()
    seeds = WORK / "seeds" / name
    for folder in (seeds, WORK / "crashes"):
        folder.mkdir(parents=True, exist_ok=True)
    for k, content in enumerate(target.seeds):
        (seeds / f"{k:03}").write_bytes(content)
    words = WORK / f"{name}.dict"
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words))
    options = [f"-seed={seed}", f"-runs={runs}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
    options += [
        *([f"-dict={words}"] if target.words else []),
        "-max_len=8192",
        "-print_final_stats=1",
        f"-artifact_prefix={WORK / 'crashes' / name}-",
    ]
    atheris.Setup([sys.argv[0], *options, *arguments, str(seeds)], lambda data: outcome(target, data) and None)
    atheris.Fuzz()


def fuzz_all(names: list[str], seed: int, runs: int) -> None:
    """Fuzz readers one after the other, each in its own process, and stop at the first finding.

    Each round starts from the inputs that earlier rounds found to reach new code, and is added to the record.
    """
    WORK.mkdir(exist_ok=True)
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    for name in names:
        command = [sys.executable, __file__, "--one", name, str(seed), str(runs)]
        log = WORK / f"{name}.log"
        with log.open("w") as file:
            failed = subprocess.run(
                command, stderr=file, stdout=file, env=os.environ | {"PYTHONHASHSEED": "0"}
            ).returncode
        text = log.read_text(errors="replace")
        done = re.search(r"Done (\d+) runs in (\d+) second", text)
        if failed or done is None:
            sys.exit(f"{name}: a finding, see {log}\n{text[-3000:]}")
        last = re.findall(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)", text)[-1]
        peak = re.search(r"peak_rss_mb:\s*(\d+)", text)
        found = {"seed": seed, "inputs": int(done[1]), "seconds": int(done[2]), "branches": int(last[1])}
        found |= {"peak_mb": int(peak[1]) if peak else None, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        found |= {"python": platform.python_version()} | {each: version(each) for each in ("atheris", "numpy")}
        record.setdefault(name, []).append(found)
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        print(name, found, flush=True)


def main() -> None:
    """Run the command line."""
    from targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"readers, by default all: {', '.join(TARGETS)}")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzz_all(options.names or list(TARGETS), options.seed, options.runs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz_one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    else:
        main()
