"""Scripts that call `sweep`: those whose worker processes could not start are refused in one line, and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHECK = "from copi_np.experiments.main_guard import check_main_guard as start\n"
CALL = "start('sweep()')"
GUARD = 'if __name__ == "__main__":\n    '
UNGUARDED = {
    "bare": CALL,
    "in a function": f"def main():\n    {CALL}\n\nmain()",
    "in another block": f"if True:\n    {CALL}",
    "in a loop": f"for _ in range(1):\n    {CALL}",
    "after a guard": f"{GUARD}pass\n{CALL}",
    "over several lines": "start(\n    'sweep()'\n)",
    "in a class": f"class A:\n    {CALL}",
}
GUARDED = {
    "guard": GUARD + CALL,
    "guard of a function": f"def main():\n    {CALL}\n\n{GUARD}main()",
    "other way round": f'if "__main__" == __name__:\n    {CALL}',
    "in try": f'try:\n    if __name__ == "__main__":\n        {CALL}\nfinally:\n    pass',
    "with else": f'if __name__ != "__main__":\n    pass\nelse:\n    {CALL}',
    "in the function": f"def main():\n    if __name__ == '__main__':\n        {CALL}\n\nmain()",
}


def run(command, folder, text=None):
    return subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False)


def last_line(result):
    return result.stderr.rstrip().rsplit("\n", 1)[-1]


@pytest.mark.parametrize("name", UNGUARDED)
def test_a_call_that_every_process_would_repeat_is_refused(name, tmp_path):
    (tmp_path / "script.py").write_text(CHECK + UNGUARDED[name])
    for command in (["script.py"], ["-m", "script"]):
        result = run([sys.executable, *command], tmp_path)
        assert result.returncode == 1
        assert last_line(result) == (
            "copi_np.errors.InputError: sweep() starts processes, each of which imports your script script.py, "
            'and would call this again: put the call inside if __name__ == "__main__":'
        )
        assert result.stderr.count("Traceback") == 1


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_call_is_not(name, tmp_path):
    (tmp_path / "script.py").write_text(CHECK + GUARDED[name])
    for command in (["script.py"], ["-m", "script"]):
        assert run([sys.executable, *command], tmp_path).returncode == 0


def test_nor_is_code_that_no_process_imports(tmp_path):
    """In `python -c`, a package run with -m, another thread, or a module that the script imports inside a guard."""
    (tmp_path / "module.py").write_text(CHECK + CALL)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(CHECK + CALL)
    (tmp_path / "script.py").write_text(f"{GUARD}import module")
    thread = f"import threading\nthread = threading.Thread(target=start, args=['x'])\n{GUARD}thread.start()"
    (tmp_path / "thread.py").write_text(CHECK + thread)
    for command in (["-c", CHECK + CALL], ["-m", "package"], ["script.py"], ["thread.py"]):
        result = run([sys.executable, *command], tmp_path)
        assert (result.returncode, result.stderr) == (0, ""), command


def test_but_a_module_that_the_script_imports_without_one_is(tmp_path):
    (tmp_path / "module.py").write_text(CHECK + CALL)
    (tmp_path / "script.py").write_text("import module")
    assert "imports your script script.py" in last_line(run([sys.executable, "script.py"], tmp_path))


@pytest.mark.parametrize("body", [CALL, GUARD + CALL])
def test_a_script_from_standard_input_is_refused(body, tmp_path):
    result = run([sys.executable, "-"], tmp_path, CHECK + body)
    assert last_line(result) == (
        "copi_np.errors.InputError: sweep() starts processes, each of which imports your script, "
        "which standard input does not allow: save it as a file"
    )


def test_sweep_is_refused_before_anything_is_computed(tmp_path):
    """Not even a folder is made; it used to end after 167 lines. With a scheduler, no process is started here."""
    script = """
from copi_np.datasets import load_dataset
from copi_np.experiments.campaign import grid
from copi_np.experiments.sweep import sweep

configs, data = grid({"preset": "mnist-5k", "epochs": 1}, ["copi-bp"], range(1), load_dataset)
sweep("out", configs, data, scheduler=SCHEDULER)
"""
    (tmp_path / "script.py").write_text(script.replace("SCHEDULER", "None"))
    result = run([sys.executable, "script.py"], tmp_path)
    assert "put the call inside" in last_line(result)
    assert len(result.stderr.splitlines()) < 12
    assert not (tmp_path / "out").exists()
    (tmp_path / "script.py").write_text(script.replace("SCHEDULER", "'tcp://127.0.0.1:9'"))
    assert "there is no Dask scheduler at tcp://127.0.0.1:9" in last_line(run([sys.executable, "script.py"], tmp_path))
