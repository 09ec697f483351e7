"""The look of the command: its start page, --quiet, --json, 80 columns, colours, and completion by the shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from tiny import write_tiny

from copi_np.backend import BACKENDS
from copi_np.cli import START, main
from copi_np.cli.output import fitting, json_text
from copi_np.cli.progress import CampaignBar, ProgressBar, no_bars
from copi_np.datasets import DATASETS
from copi_np.experiments.methods import METHODS
from copi_np.experiments.preset_files import preset_names

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell and terminal")


pytestmark = pytest.mark.xdist_group("look")  # one process makes what all of these tests look at
PRESET = "layers = [6, 4, 3]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder to work in, with tiny data and a tiny network; measurements and a demo that take less time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("copi_np.experiments.demo.DEMO_METHODS", ("copi-bp", "bp-adam"))
    monkeypatch.setattr("copi_np.experiments.benchmark.SHORTEST", 0.001)
    monkeypatch.delenv("NO_COLOR", raising=False)
    write_tiny(tmp_path)
    (tmp_path / "tiny.toml").write_text(PRESET)
    (tmp_path / "own_copi.py").write_text("from copi_np.rules import copi_update\n")
    return tmp_path


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """The folder in which the command "reproduce" has run, and what it said."""
    folder = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        write_tiny(folder)
        (folder / "tiny.toml").write_text(PRESET)
        return folder / "out", call(*COMMANDS["reproduce"])


@pytest.fixture
def out(reproduced, place):
    """A copy of its records, in the folder to work in."""
    return shutil.copytree(reproduced[0], place / "out")


def call(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


# ------------------------------------------------------------------------------------------------- the start page


def test_without_arguments_the_lines_that_people_need_are_shown():
    result = call()
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    shown = [line.strip() for line in lines if line.startswith("  copi-np ")]
    assert shown == list(START)
    assert [line.split()[1] for line in shown] == ["demo", "train", "reproduce", "report", "doctor"]
    for line in shown:
        assert lines[lines.index(f"  {line}") + 1].startswith(" " * 6)
    assert "copi-np --help" in lines[-1]


def test_the_lines_of_the_start_page_run_in_their_order():
    for line in START:
        _, *arguments = line.split()
        fast = ["--epochs", "1"] if arguments[0] in ("demo", "train", "reproduce") else []
        assert call(*arguments, *fast).stdout != ""


def test_help_lists_all_commands():
    assert all(f"\n  {name} " in call("--help").stdout for name in main.commands)


# --------------------------------------------------------------------------- results in text and JSON, and silence


TINY = ("--dataset", "tiny.npz", "--backend", "numpy")
MANY = ("--preset", "tiny.toml", "--methods", "copi-bp,bp-adam", "--seeds", "2", "--out", "out")
COMMANDS = {
    "train": ["train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--epochs", "1"],
    "demo": ["demo", "--epochs", "1"],
    "reproduce": ["reproduce", "fig3", *TINY, *MANY],
    "sweep": ["sweep", *TINY, *MANY, "--workers", "1", "--vary", "eta_W=1e-3,2e-3", "--vary", "batch_size=10,20"],
    "report": ["report", "out"],
    "predict": ["predict", "run", "tiny.npz"],
    "export": ["export", "run", "network.safetensors"],
    "bench": ["bench", "--network", "784-30-30-30-30-30-30-10", "--rounds", "1", "--backend", "numpy"],
    "doctor": ["doctor"],
    "vectors": ["vectors"],
    "verify": ["verify", "own_copi.py", "--examples", "0"],
}
EXPECTED = {
    "train": {"folder", "config", "epoch", "train_accuracy", "test_accuracy", "train_loss", "test_loss", "seconds"},
    "demo": {"runs", "versions", "written"},
    "reproduce": {"title", "groups", "remarks", "written"},
    "sweep": {"title", "groups", "remarks", "written"},
    "report": {"title", "groups", "remarks", "written"},
    "predict": {"network", "epoch", "accuracy", "labels", "written"},
    "export": {"network", "epoch", "sizes", "dtype", "written"},
    "bench": {"milliseconds", "step_over_floor"},
    "doctor": {"versions", "blas", "gpu", "data"},
    "vectors": {"written"},
    "verify": {"conforms", "equations", "theorems", "missing"},
}


def refuse(name):
    raise ValueError(f"{name} is no JSON")


@pytest.mark.parametrize("command", COMMANDS)
def test_results_fit_80_columns_and_json_is_one_object_without_a_word_beside_it(command, request):
    """Nothing on standard error with --quiet; and the option is one of every command."""
    assert COMMANDS.keys() == EXPECTED.keys() == main.commands.keys()
    if command == "report":
        request.getfixturevalue("out")
    if command in ("predict", "export"):
        call(*COMMANDS["train"], "--out", "run")
    text = call(*COMMANDS[command])
    assert len(text.stdout.splitlines()) >= 2
    assert max(map(len, text.stdout.splitlines())) <= 80
    result = call(*COMMANDS[command], "--quiet", "--json")
    assert result.stderr == ""
    values = json.loads(result.stdout, parse_constant=refuse)
    assert values.keys() >= EXPECTED[command]
    assert call("--quiet", *COMMANDS[command]).stderr == ""
    assert all(Path(file).is_file() for file in values.get("written", []))


def test_json_says_what_the_records_say(out):
    values = json.loads(call(*COMMANDS["train"], "--json").stdout)
    last = json.loads((Path(values["folder"]) / "history.jsonl").read_text())
    assert {name: values[name] for name in last} == last
    values = json.loads(call(*COMMANDS["train"], "--val-fraction", "0.3", "--json").stdout)
    assert values["best"]["val_accuracy"] == values["val_accuracy"]  # of the only epoch
    (out / "summary.json").write_text((out / "summary.json").read_text()[:200])
    values = json.loads(call("report", "out", "--json").stdout)
    assert values["groups"] == json.loads((out / "summary.json").read_text())


def test_quiet_leaves_the_result_as_it_is(reproduced, out):
    """Bars and notes are on standard error, and only there."""
    loud = reproduced[1]
    assert "Samples, receptive fields" in loud.stderr
    assert call(*COMMANDS["reproduce"], "-q").stdout == loud.stdout
    assert "lateral weights" in call(*COMMANDS["train"]).stderr


@pytest.mark.parametrize(
    ("command", "varied"),
    [
        (["reproduce", "fig2", *TINY, *MANY], [""]),
        (["sweep", *TINY, *MANY, "--vary", "layers=6-4-3,6-5-4-3", "--workers", "1"], ["6-4-3", "6-5-4-3"]),
    ],
    ids=["reproduce", "sweep"],
)
def test_what_a_run_came_to_is_told_above_the_bar_as_it_ends(command, varied, place):
    (place / "tiny.toml").write_text(f"{PRESET}[methods.bp-adam]\neta_W = 1e9\n")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2  # Adam diverges
    lines = result.stderr.replace("\r", "\n").splitlines()
    told = []
    for seed, values in product((0, 1), varied):
        values = f", layers={values}" if values else ""
        for method, end in (
            ("COPI (BP)", r"epoch 1, train \d+\.\d %, test \d+\.\d %"),
            ("BP (Adam)", r"epoch 1, batch 1: training diverged: .*"),
        ):
            (place_of_it,) = (k for k, line in enumerate(lines) if line.startswith(f"{method}, seed {seed}{values}: "))
            assert re.fullmatch(f".*: {end}", lines[place_of_it])
            told.append(place_of_it)
    bars = [k for k, line in enumerate(lines) if re.match(r"\d/\d ", line)]
    assert min(told) < max(bars)  # not when all is done
    assert max(map(len, lines[: max(bars) + 1])) <= 80
    quiet = CliRunner().invoke(main, [*command, "--quiet"])
    assert not re.search(r"seed \d(, \S+)?: ", quiet.stderr)  # errors name a folder in brackets


def test_quiet_hides_neither_errors_nor_what_is_lost(out):
    history = next(out.glob("runs/bp-adam_seed1*")) / "history.jsonl"
    with history.open("a") as file:
        file.write('{"epoch": 2, ')
    assert "Warning: " in call("report", "out", "--quiet", "--format", "csv").stderr
    history.write_text("no JSON\n")
    assert f"{history.parent.name}: left out" in call("report", "out", "--quiet", "--format", "csv").stderr
    result = CliRunner().invoke(main, [*COMMANDS["reproduce"], "--quiet", "--json", "--epochs", "2"])
    assert result.exit_code == 2
    assert f"BP (Adam), seed 1 ({history.parent.name}): " in result.stderr
    assert "Error: 1 of 4 runs failed" in result.stderr
    values = json.loads(result.stdout)
    assert [group["label"] for group in values["groups"]] == ["COPI (BP)", "BP (Adam)"]
    assert [history.parent.name in remark for remark in values["remarks"]] == [True]


def test_of_bench_json_is_printed_or_kept():
    call(*COMMANDS["bench"], "--json", "kept.json")
    assert (
        json.loads(Path("kept.json").read_text()).keys() == json.loads(call(*COMMANDS["bench"], "--json").stdout).keys()
    )


def test_two_formats_at_once_are_refused(out):
    result = CliRunner().invoke(main, ["report", "out", "--json", "--format", "csv"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "leave out one" in result.stderr


def test_numbers_that_json_does_not_have_are_null():
    values = {"a": [1.5, float("nan"), {"b": (np.float64("inf"), -float("inf"), 2, None, True, "x")}]}
    assert json.loads(json_text(values), parse_constant=refuse) == {
        "a": [1.5, None, {"b": [None, None, 2, None, True, "x"]}]
    }


def test_bars_can_be_hidden_all_together(capsys):
    with no_bars():
        with ProgressBar("COPI (BP)", 2) as bar:
            bar.on_batch(1, 2)
            bar.note("x")
        with CampaignBar(2, 4) as bar:
            bar.begin("one", 2)
            bar.on_batch(1, 2)
            bar.set_left(1)
            bar.end_run()
    assert capsys.readouterr().err == ""
    with ProgressBar("COPI (BP)", 2) as bar:
        bar.on_batch(1, 2)
    assert "COPI (BP)" in capsys.readouterr().err


def test_bars_of_downloads_are_hidden_too(monkeypatch):
    from copi_np.datasets import fetch

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    file = DATASETS["mnist"].files[0]
    with fetch._bar(file) as shown, no_bars(), fetch._bar(file) as hidden:
        assert (shown.disable, hidden.disable) == (False, True)


def test_long_lines_are_broken_between_words_and_paths_are_not():
    line = "name" + " word" * 30
    broken = fitting(line, 20).splitlines()
    assert max(map(len, broken)) <= 80
    assert all(part.startswith(" " * 20 + "word") for part in broken[1:])
    assert " ".join(part.strip() for part in broken) == line
    for kept in ("x" * 80, f"cache   /{'folder/' * 12}", f"  {'x' * 90}"):
        assert fitting(kept, 20) == kept


# -------------------------------------------------------------------------------------------------------- colours


PROGRAM = "import sys; sys.argv[0] = 'copi-np'; from copi_np.cli import main; main()"
ESCAPE = "\x1b["


def in_terminal(*arguments, **environment):
    """All that a command writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=os.environ | environment):
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # what Linux has for the end
            pass
    os.close(ours)
    return seen.decode()


@posix
@pytest.mark.parametrize(
    ("arguments", "coloured"),
    [(["train"], "Error:"), ([], "copi-np demo"), (["--nonsense"], "Error:"), (["report", "out", "-q"], "method ")],
    ids=str,
)
def test_colours_are_for_terminals_alone(arguments, coloured, out):
    """And for those who have not set NO_COLOR, to whatever but nothing."""
    seen = in_terminal(*arguments)
    before, _, after = seen.partition(coloured)
    assert before.endswith("m")
    assert ESCAPE in before
    assert f"{ESCAPE}0m" in after.splitlines()[0]
    assert in_terminal(*arguments, NO_COLOR="") == seen
    plain = in_terminal(*arguments, NO_COLOR="1")
    assert ESCAPE not in plain
    piped = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)
    assert piped.stdout + piped.stderr == plain.replace("\r\n", "\n")


# ----------------------------------------------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("words", "typed", "expected"),
    [
        (["train", "--method"], "", list(METHODS)),
        (["train", "--method"], "copi-d", ["copi-dfa", "copi-dtp"]),
        (["train", "--preset"], "", preset_names()),
        (["train", "--dataset"], "mnist", ["mnist-5k", "mnist"]),
        (["train", "--backend"], "", list(BACKENDS)),
        (["train", "--dtype"], "float6", ["float64"]),
        (["train", "--decorrelation"], "", ["matrix", "local", "kappa", "gain", "normalised"]),
        (["reproduce"], "", ["fig2", "fig3"]),
        (["reproduce", "fig2", "--methods"], "copi-bp,bp-d", ["copi-bp,bp-decor"]),
        (["reproduce", "fig2", "--methods"], "copi-bp,act", ["copi-bp,activity-decor", "copi-bp,activity"]),
        (["reproduce", "fig2", "--dataset"], "", list(DATASETS)),
        (["sweep", "--methods"], "fa", ["fa-decor"]),
        (["sweep", "--preset"], "cifar", ["cifar10", "cifar10-conv", "cifar10-deep"]),
        (["bench", "--network"], "c", ["cifar10"]),
        (["bench", "--method"], "copi-f", ["copi-fa"]),
        (["report", "--format"], "la", ["latex"]),
        (["train", "--q"], "--qu", ["--quiet"]),
        ([], "re", ["report", "reproduce"]),
    ],
    ids=str,
)
def test_names_are_completed(words, typed, expected):
    found = ShellComplete(main, {}, "copi-np", "_COPI_NP_COMPLETE").get_completions(words, typed)
    assert [(item.type, item.value) for item in found] == [("plain", name) for name in expected]


@pytest.mark.parametrize(
    "words", [["train", "--dataset"], ["train", "--preset"], ["reproduce", "fig2", "--dataset"]], ids=str
)
def test_where_no_name_fits_files_are_completed(words):
    (item,) = ShellComplete(main, {}, "copi-np", "_COPI_NP_COMPLETE").get_completions(words, "ti")
    assert item.type == "file"


@posix
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script_and_completions(place, shell):
    """By the variable and the names that docs/use.md gives (tests/documents/test_use_page.py)."""
    command = [sys.executable, "-c", PROGRAM]
    script = subprocess.run(
        command, env=os.environ | {"_COPI_NP_COMPLETE": f"{shell}_source"}, capture_output=True, text=True
    )
    assert f"_COPI_NP_COMPLETE={shell}_complete" in script.stdout
    typed = {"COMP_WORDS": "copi-np train --method copi-f", "COMP_CWORD": "copi-f" if shell == "fish" else "3"}
    environment = os.environ | typed | {"_COPI_NP_COMPLETE": f"{shell}_complete"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "copi-fa" in found.stdout
    assert "copi-bp" not in found.stdout


@posix
def test_bash_completes_by_the_line_of_the_page(place):
    program = place / "bin" / "copi-np"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    lines = [
        'eval "$(_COPI_NP_COMPLETE=bash_source copi-np)"',
        "COMP_WORDS=(copi-np train --preset mnist-5) COMP_CWORD=3",
        "_copi_np_completion copi-np",
        'echo "${COMPREPLY[@]}"',
    ]
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    result = subprocess.run(["bash", "-c", "\n".join(lines)], env=environment, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("mnist-5k mnist-5k-online\n", "")
