"""The commands vectors and verify, by which other implementations are checked against this one."""

from __future__ import annotations

from pathlib import Path

import click

from copi_np.cli.options import Folder
from copi_np.cli.output import Output, output_options, written

DIFFERS = 1
"""Exit code of ``copi-np verify`` for an implementation that does not conform; errors exit with 2."""


@click.command()
@click.option(
    "--out",
    type=Folder(),
    default=Path("vectors"),
    show_default=True,
    help="Folder for the files; those of an earlier call are replaced.",
)
@output_options()
def vectors(out: Path, output: Output) -> None:
    """Copy the known answers: JSON files for implementations in any language."""
    from copi_np.conformance import copy_vectors

    files = copy_vectors(out)
    output.result(written(files), {"written": list(map(str, files))})


@click.command(short_help="Check an implementation against this one.")
@click.argument("adapter", metavar="MODULE[:NAME]")
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Random inputs per theorem, which need Hypothesis; 0: known answers only.",
)
@output_options()
def verify(adapter: str, examples: int, output: Output) -> None:
    """Check an implementation of COPI against known answers and theorems, and name the likely cause of a difference.

    MODULE:NAME is a module, or an object in it, that has functions such as copi_update and step; FILE.py:NAME works,
    too. Exits with 0 if all checks agree, with 1 if one does not, and with 2 if it cannot be checked.
    """
    from copi_np.conformance import load_adapter
    from copi_np.conformance import verify as carry_out

    report = carry_out(load_adapter(adapter), examples=examples)
    output.result(str(report), report.as_dict(), indent=6)
    if not report.conforms:
        raise click.exceptions.Exit(DIFFERS)
