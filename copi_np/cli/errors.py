"""How commands fail: every error is one line, with exit code 2; SIGINT and SIGTERM leave with 130 and 143."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from copi_np.errors import CopiError, CopiWarning, StoppedError, unknown


class Failure(click.ClickException):
    """An error shown as one line."""

    exit_code = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Show whatever goes wrong inside as one line that says what was wrong and what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", CopiWarning)
            warnings.showwarning = show_warning
            yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except StoppedError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(128 + error.signal_number) from error  # as the shell has it: 130 for Ctrl-C
    except CopiError as error:
        raise Failure(str(error)) from error
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "copi-np"
        raise Failure(f"{error.format_message().rstrip('.')} (see '{command} --help')") from error
    except MemoryError as error:
        raise Failure(f"not enough memory ({error}): choose smaller layers, batches or data") from error
    except BrokenPipeError:
        raise  # such as of `| head`, where there is nothing to say: click ends quietly
    except OSError as error:
        name = str(error.filename or "output")
        raise Failure(f"cannot use {name[:80]} ({error.strerror}): check the path and the disk") from error


def show_warning(message: Warning | str, category: type[Warning], *place: Any, **others: Any) -> None:
    """Show a warning of this package as one line; others as Python does."""
    if issubclass(category, CopiWarning):
        click.echo(f"Warning: {message}", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, *place[:2]), err=True)


class Group(click.Group):
    """A group of commands whose errors are one line each."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the options that stand before the command."""
        with one_line_errors():
            return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Read the options of the command, and run it."""
        with one_line_errors():
            return super().invoke(context)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command by its name; suggest the nearest for a wrong one."""
        if self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)
