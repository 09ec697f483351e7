"""Make commands fail well: every error is one line with exit code 2; SIGINT and SIGTERM exit with 130 and 143."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from copi_np.cli.signals import sigterm_interrupts
from copi_np.cli.streams import secure_streams
from copi_np.errors import CopiError, CopiWarning, StoppedError, unknown


class Failure(click.ClickException):
    """An error shown as one line."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it to standard error."""
        print_line("Error", self.message, "red", color=self.show_color)


def print_line(kind: str, text: str, colour: str, *, color: bool | None = None) -> None:
    """Print one line to standard error; on a terminal, its first word is coloured.

    Outside a command, pass `color` as `Group` has set it.
    """
    click.echo(f"{click.style(f'{kind}:', fg=colour, bold=True)} {text}", err=True, color=color)


@contextmanager
def one_line_errors(context: click.Context) -> Iterator[None]:
    """Show any error inside as one line that says what is wrong and what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", CopiWarning)
            warnings.showwarning = _show_once()
            yield
    except StoppedError as error:
        raise _stopped(error, str(error), error.signal_number) from error
    except KeyboardInterrupt as error:  # a second signal, or a first one outside training
        number = _number(error)
        raise _stopped(error, f"stopped by {signal.Signals(number).name}", number) from error
    except CopiError as error:
        raise Failure(str(error)) from error
    except click.UsageError as error:
        # click does not know the command if an option lacks its value
        command = error.ctx.command_path if error.ctx else f"{context.command_path} {context.invoked_subcommand or ''}"
        message = " ".join(error.format_message().split()).rstrip(".")
        raise Failure(f"{message} (see '{command.strip()} --help')") from error
    except MemoryError as error:
        raise Failure(f"not enough memory ({error}): choose smaller layers, batches or data") from error
    except BrokenPipeError:
        raise  # such as from `| head`: click ends quietly
    except OSError as error:
        name = str(error.filename or "output")
        raise Failure(f"cannot use {name[:80]} ({error.strerror}): check the path and the disk") from error


def _number(error: KeyboardInterrupt) -> int:
    """Return the number of the signal that raised an error."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else signal.SIGINT


def _stopped(error: BaseException, text: str, number: int) -> click.exceptions.Exit:
    """Say what stopped the command and how to resume; return an exit with the shell's code, 130 for Ctrl-C."""
    print_line("Error", "; ".join([text, *getattr(error, "__notes__", [])]), "red")
    return click.exceptions.Exit(128 + number)


@contextmanager
def if_stopped(advice: Callable[[], str | None]) -> Iterator[None]:
    """Add advice on how to resume if a signal stops the code inside; None says that there is nothing to resume."""
    try:
        yield
    except (StoppedError, KeyboardInterrupt) as error:
        found = advice()
        if found is None:
            number = error.signal_number if isinstance(error, StoppedError) else _number(error)
            error, found = KeyboardInterrupt(number), "nothing has been recorded yet: run the same command again"
        error.add_note(found)
        raise error from None


def _show_once() -> Callable[..., None]:
    """Return a function that shows each warning of this package once, as one line; other warnings as Python does."""
    shown = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **others: Any) -> None:
        if not issubclass(category, CopiWarning):
            click.echo(warnings.formatwarning(message, category, *place[:2]), err=True)
        elif str(message) not in shown:
            shown.add(str(message))
            print_line("Warning", str(message), "yellow")

    return show


class Group(click.Group):
    """A group of commands whose errors are shown in one line."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; closed or broken standard streams do not stop it."""
        secure_streams()
        return super().main(*args, **options)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command; turn colours off if NO_COLOR is set, see no-color.org."""
        if os.environ.get("NO_COLOR"):
            context.color = False
        with one_line_errors(context):
            return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Parse the options of the command, and run it."""
        with one_line_errors(context), sigterm_interrupts():
            return super().invoke(context)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command by its name; for an unknown name, suggest the nearest."""
        if self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)
