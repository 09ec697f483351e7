"""Find the setting of a campaign that is best on validation samples, and write it as a preset that trains it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from copi_np.experiments.own_parts import is_file
from copi_np.experiments.summary import Group
from copi_np.storage.atomic import replace_text

BEST_PRESET: Final = "best.toml"
NOT_IN_PRESET: Final = ("method", "seed", "code_sha256", "source_sha256")


def best_group(groups: Sequence[Group]) -> Group | None:
    """Return the group with the highest mean accuracy on its validation split, each run at its best epoch.

    Groups with fewer seeds than others, some of which failed or are not finished, are left out.

    Returns
    -------
    group : Group or None   None if there is nothing to choose from: without validation splits, with only one group, or
                            if the groups were validated on different samples
    """
    most = max((len(group.runs) for group in groups), default=0)
    complete = [group for group in groups if len(group.runs) == most and group.runs]
    splits = {(group.config.val_fraction, group.runs[0].description.get("data_sha256")) for group in complete}
    if len(groups) < 2 or len(splits) != 1 or not complete[0].config.val_fraction:
        return None
    return max(complete, key=lambda group: group.statistic("selected_val_accuracy").mean)


def write_best(root: Path, groups: Sequence[Group]) -> list[Path]:
    """Write the best setting as a preset into a folder; return the files written: none if text cannot express it."""
    group = best_group(groups)
    if group is None or not _is_text(group):
        return []
    values = {name: value for name, value in group.config.as_dict().items() if name not in NOT_IN_PRESET}
    values |= {kind: str(Path(part).absolute()) for kind, part in group.config.own_parts.items()}
    lines = [f"# {group.label}: the best setting on validation samples", *(_line(*pair) for pair in values.items())]
    replace_text(root / BEST_PRESET, "\n".join(lines) + "\n")
    return [root / BEST_PRESET]


def _is_text(group: Group) -> bool:
    """Return whether a preset can hold a configuration: no method, schedule or part that is an object."""
    config = group.config
    objects = [part for part in config.own_parts.values() if not is_file(part)]
    return isinstance(config.method, str) and config.own_schedule is None and not objects


def _line(name: str, value: Any) -> str:
    """Return a line of TOML, whose text, numbers and lists of numbers are those of JSON."""
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


def describe_best(group: Group) -> str:
    """Describe the best setting in one line; accuracies in per cent, mean over seeds."""
    val, test, epoch = (group.statistic(f"selected_{name}").mean for name in ("val_accuracy", "test_accuracy", "epoch"))
    return f"Best on validation: {group.label}: val {100 * val:.2f} %, test {100 * test:.2f} %, at epoch {epoch:.1f}"


def train_command(root: Path, group: Group, data_dir: Path | None = None) -> str:
    """Return the command that trains the first run of the best setting again, from the preset in a folder."""
    words = ["copi-np", "train", "--preset", str(root / BEST_PRESET), "--method", str(group.config.method)]
    words += ["--seed", str(group.config.seed)]
    return shlex.join(words + ([] if data_dir is None else ["--data-dir", str(data_dir)]))
