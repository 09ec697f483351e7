"""How commands speak: results on standard output, as text or as JSON; notes on standard error, unless --quiet."""

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
from copi_np.storage.atomic import replace_text

STANDARD_OUTPUT: Final = Path("-")
WIDTH: Final = 80
"""Columns of the narrowest terminal that people use."""


@dataclass(frozen=True)
class Output:
    """Where a command puts what it has to say.

    Attributes
    ----------
    quiet : bool            whether to leave out notes
    json_to : Path or None  `STANDARD_OUTPUT`: the result is printed as JSON in place of text; another: kept there too
    """

    quiet: bool
    json_to: Path | None

    def note(self, text: str) -> None:
        """Tell the user something that is neither a result nor an error."""
        if not self.quiet:
            click.echo(text, err=True)

    def result(self, text: str, values: dict[str, Any], *, indent: int = 2) -> None:
        """Print the result: as text, its first line in bold on a terminal, or as one JSON object.

        Parameters
        ----------
        text : str
        values : dict       the same for programs
        indent : int        spaces before what is left of a line that does not fit
        """
        if self.json_to == STANDARD_OUTPUT:
            click.echo(json_text(values))
            return
        head, *rest = (fitting(line, indent) for line in text.split("\n"))
        click.echo("\n".join([click.style(head, bold=True), *rest]))
        if self.json_to is not None:
            replace_text(self.json_to, json_text(values) + "\n")


def output_options(*, json_file: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options --quiet and --json, of which a command gets an `Output` as `output`.

    Parameters
    ----------
    json_file : bool    whether --json may name a file; not where a command has arguments, which it would swallow
    """
    json_help = "Print the result as JSON" + (", or keep it in FILE beside the text." if json_file else ", not text.")

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def speaking(*, quiet: bool, json_to: Path | None, **options: Any) -> Any:
            if json_to is not None and not json_to.parent.is_dir():  # before anything is computed
                raise InputError(f"there is no folder {json_to.parent} for --json: make it, or choose another")
            with no_bars() if quiet else nullcontext():
                return command(output=Output(quiet, json_to), **options)

        quiet_option = click.option(
            "--quiet", "-q", is_flag=True, help="No progress, no notes: results and errors alone."
        )
        json_option = click.option(
            "--json",
            "json_to",
            is_flag=not json_file,
            flag_value=str(STANDARD_OUTPUT),
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            metavar="[FILE]" if json_file else None,
            help=json_help,
        )
        return quiet_option(json_option(speaking))

    return add


def fitting(line: str, indent: int) -> str:
    """A line broken between words where it is too long; left alone for a path that fits nowhere, to be copied."""
    if len(line) <= WIDTH or max(map(len, line.split())) > WIDTH - indent:
        return line
    return fill(line, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def json_text(values: Any) -> str:
    """Values as JSON; numbers that are not finite, which JSON does not have, as null."""
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
    """Which files a command has written: a line each, to copy from."""
    return "\n".join(["Written:", *(f"  {file}" for file in files)])
