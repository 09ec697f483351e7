"""Check the files that would be uploaded. The wheel must contain the package's files in git and nothing else; the
source distribution the package with its tests, without the repository's results and course.

    python tools/check_dist.py FOLDER    # after: python -m build --outdir FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
SDIST_FOLDERS = {"copi_np", "copi_np.egg-info", "data", "tests"}
SIZE_LIMIT = 3_000_000
"""Bytes of either file; the bundled digits are 0.9 MB of each."""


def tracked(*folders: str) -> set[str]:
    """Return the files that git has in these folders."""
    command = ["git", "ls-files", "-z", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(listed.split("\0")) - {""}


def wheel_problems(wheel: Path) -> list[str]:
    """List the files that are missing from the wheel, and those that it should not have."""
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    installed = {name for name in names if not PurePosixPath(name).parts[0].endswith(".dist-info")}
    expected = tracked("copi_np") | {f"copi_np/{name}" for name in tracked("data")}
    problems = [f"missing: {name}" for name in expected - installed]
    problems += [f"unexpected: {name}" for name in installed - expected]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append("missing: LICENSE")
    return problems


def sdist_problems(sdist: Path) -> list[str]:
    """List the files that are missing from the source distribution, and folders that it should not have."""
    with tarfile.open(sdist) as file:
        paths = [PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in file if member.isfile()]
    expected = tracked("copi_np", "data") | {"LICENSE", "CHANGELOG.md", "pyproject.toml", "setup.cfg"}
    folders = {path.parts[0] for path in paths if len(path.parts) > 1}
    problems = [f"missing: {name}" for name in expected - set(map(str, paths))]
    return problems + [f"unexpected: {name}/" for name in folders - SDIST_FOLDERS]


def main(folder: Path) -> None:
    """Print each file's size, and exit with the problems found."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    problems = []
    for path, found in ((wheel, wheel_problems(wheel)), (sdist, sdist_problems(sdist))):
        size = path.stat().st_size
        print(f"{path.name}: {size / 1e6:.2f} MB")
        problems += [f"{path.name}: {problem}" for problem in sorted(found)]
        if size > SIZE_LIMIT:
            problems.append(f"{path.name}: larger than {SIZE_LIMIT / 1e6:.0f} MB")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
