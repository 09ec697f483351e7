"""Files agree about versions, and the oldest versions that users may have are those tested."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

import yaml

import copi_np

ROOT = Path(__file__).parents[2]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
EXTRAS = {name: text.split("\n")[1:] for name, text in SETUP["options.extras_require"].items() if "\n" in text}
FOLDERS = ("benchmarks", "copi_np", "docs", "tools", "tutorials")
REQUIRED = SETUP["options"]["install_requires"].split("\n")[1:]


def test_the_version_is_that_of_the_changelog_and_of_the_citation():
    assert re.fullmatch(r"\d+\.\d+\.\d+", copi_np.__version__)
    newest = re.search(r"^## (\S+) \(", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest[1] == copi_np.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == copi_np.__version__


def test_every_oldest_version_is_tested():
    """`make test-oldest` reads "name >= version" of what the tests are installed with: the extras of users included."""
    tested = REQUIRED + EXTRAS["test"]
    assert [line for line in tested if not re.fullmatch(r"[A-Za-z0-9-]+ >= [\d.]+", line)] == []
    of_users = EXTRAS.keys() - {"benchmarks", "browser", "fuzz", "mutants", "site", "torch", "tracing", "tutorials"}
    assert {line for name in of_users for line in EXTRAS[name]} <= set(tested)
    names = {line.split()[0] for line in tested}
    everywhere = {line for lines in EXTRAS.values() for line in lines if line.split()[0] in names}
    assert everywhere <= set(tested)  # one bound for a package, wherever it is named


def test_every_extra_that_is_named_is_there():
    """In advice such as ``pip install 'copi-np[sklearn]'``, anywhere."""
    named = {}
    for path in [ROOT / "Makefile", *ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.[pm][yd]"))]:
        for extras in re.findall(r"(?:copi-np|'\.)\[([a-z0-9,]+)\]", path.read_text(encoding="utf-8")):
            named |= dict.fromkeys(extras.split(","), path.name)
    assert named.keys() - SETUP["options.extras_require"].keys() == set(), named
    assert named.keys() >= {"benchmarks", "sklearn", "tutorials"}


def test_the_oldest_python_is_one_everywhere():
    oldest = SETUP["options"]["python_requires"].removeprefix(">=")
    named = re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"])
    assert named[0] == oldest
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert ruff["target-version"] == f"py{oldest.replace('.', '')}"


def test_hooks_download_nothing_and_call_the_makefile():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    for hook in hooks[0]["hooks"]:
        make, target = hook["entry"].split()
        assert make == "make"
        assert target in targets
