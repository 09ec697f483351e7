"""Write the output of commands: results to standard output as text or JSON, notes to standard error unless --quiet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import click

from copi_np.cli.progress import no_bars
from copi_np.errors import InputError
from copi_np.storage.atomic import check_writable, replace_text

STANDARD_OUTPUT: Final = Path("-")
WIDTH: Final = 80
"""Columns of a standard terminal."""


@dataclass(frozen=True)
class Output:
    """Where a command prints results and notes.

    Attributes
    ----------
    quiet : bool            whether to leave out notes
    json_to : Path or None  if `STANDARD_OUTPUT`, the result is printed as JSON instead of text; if a file, the JSON is
                            written there as well
    """

    quiet: bool
    json_to: Path | None

    def note(self, text: str) -> None:
        """Print a note to standard error, unless `quiet`."""
        if not self.quiet:
            click.echo(text, err=True)

    def result(self, text: str, values: dict[str, Any], *, indent: int = 2, command: str | None = None) -> None:
        """Print the result: as text, its first line in bold on a terminal, or as one JSON object.

        Parameters
        ----------
        text : str
        values : dict       the same, for programs
        indent : int        spaces before the rest of a line that is too long
        command : str       to be pasted: printed after the text, in one line however long
        """
        if self.json_to == STANDARD_OUTPUT:
            click.echo(json_text(values))
            return
        if self.json_to is not None:  # first, since standard output may have lost its reader
            replace_text(self.json_to, json_text(values) + "\n")
        head, *rest = (fitting(line, indent) for line in text.split("\n"))
        click.echo("\n".join([click.style(head, bold=True), *rest]))
        if command is not None:
            click.echo(command)


quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress and no notes: only results and errors.")


def output_options(*, json_file: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options --quiet and --json, and pass them to the command as `output`, an `Output`.

    Parameters
    ----------
    json_file : bool    whether --json may name a file; not for commands with arguments, which it would mistake for the
                        file
    """
    json_help = "Print the result as JSON" + (", or also write it to FILE." if json_file else ", not text.")

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_output(*, quiet: bool, json_to: Path | None, **options: Any) -> Any:
            if json_to is not None:
                check_output(json_to, "--json")
            quiet = quiet or click.get_current_context().find_root().params["quiet"]  # copi-np --quiet COMMAND
            with no_bars() if quiet else nullcontext():
                return command(output=Output(quiet, json_to), **options)

        json_option = click.option(
            "--json",
            "json_to",
            is_flag=not json_file,
            flag_value=str(STANDARD_OUTPUT),
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            metavar="[FILE]" if json_file else None,
            help=json_help,
        )
        return quiet_option(json_option(with_output))

    return add


def check_output(path: Path, option: str) -> None:
    """Raise an InputError if an output file has no folder, or a DataError if it cannot be written, before computing."""
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} for {option}: create it, or choose another")
    if path != STANDARD_OUTPUT:
        check_writable(path)


def fitting(line: str, indent: int) -> str:
    """Break a long line between words; leave it whole if a single word, such as a path to copy, is too long."""
    if len(line) <= WIDTH or max(map(len, line.split())) > WIDTH - indent:
        return line
    return fill(line, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def json_text(values: Any) -> str:
    """Format values as JSON; numbers that are not finite, which JSON does not allow, become null."""
    return json.dumps(_finite(values), indent=1, allow_nan=False)


def _finite(values: Any) -> Any:
    match values:
        case dict():
            return {name: _finite(value) for name, value in values.items()}
        case list() | tuple():
            return [_finite(value) for value in values]
        case float() if not math.isfinite(values):
            return None
    return values


def written(files: Iterable[Path]) -> str:
    """List the files that a command has written, one per line."""
    return "\n".join(["Written:", *(f"  {file}" for file in files)])
