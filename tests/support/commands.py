"""Run a command of the program in this process."""

from __future__ import annotations

from click.testing import CliRunner

from copi_np.cli import main


def call(*arguments):
    """Run a command, and return its result."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="copi-np")


def done(*arguments):
    """Return the result of a command that succeeds."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result
