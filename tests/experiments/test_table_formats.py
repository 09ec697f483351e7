"""Every character of the tables, in all formats, of two grids of a sweep; the numbers are in test_report_numbers.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import RunRecord
from copi_np.experiments.summary import epochs_to_peak, group_runs
from copi_np.experiments.tables import FORMATS, HISTORY_FORMATS
from copi_np.history import EpochRecord

CONFIG = RunConfig("copi-bp", "tiny.npz", (3, 2), 2, 0.1, 0.1, val_fraction=0.5)


def epoch(k, train, test, val):
    return EpochRecord(k, train, test, 0.5 * k, 0.25 * k, [0.125], 1.5 * k, val, None if val is None else 2.0)


@pytest.fixture(scope="module")
def groups():
    """Two seeds at one rate and one at another, with a validation split; then a grid without one."""
    histories = {
        replace(CONFIG, seed=0): [epoch(1, 0.5, 0.25, 0.75), epoch(2, 1.0, 0.75, 0.5)],
        replace(CONFIG, seed=1): [epoch(1, 0.25, 0.5, 0.25), epoch(2, 0.75, 0.25, 0.75)],
        replace(CONFIG, eta_W=0.2): [epoch(1, 0.5, 0.5, 0.5), epoch(2, 0.5, 0.5, 0.25)],
        replace(CONFIG, method="bp", val_fraction=0.0): [epoch(1, 0.5, 0.5, None)],
    }
    runs = [RunRecord(Path(str(k)), config, {}, history, None) for k, (config, history) in enumerate(histories.items())]
    by_rate, without = group_runs(runs[:3], ["eta_W"], "Grid 1: eta_W (50 %)"), group_runs(runs[3:], [], "Grid 2")
    return [*by_rate, *without]


COPI = "COPI (BP), eta_W="
CSV = f"""\
grid,method,eta_W,seeds,epochs,train_accuracy,train_accuracy_std,test_accuracy,test_accuracy_std,train_loss,\
train_loss_std,test_loss,test_loss_std,peak_train_accuracy,peak_train_accuracy_std,peak_test_accuracy,\
peak_test_accuracy_std,epochs_to_peak,epochs_to_peak_std,seconds_per_epoch,seconds_per_epoch_std,selected_epoch,\
selected_epoch_std,selected_val_accuracy,selected_val_accuracy_std,selected_test_accuracy,selected_test_accuracy_std
Grid 1: eta_W (50 %),"{COPI}0.1",0.1,2,2,0.875,0.1767766952966369,0.5,0.3535533905932738,1.0,0.0,0.5,0.0,0.875,\
0.1767766952966369,0.625,0.1767766952966369,2.0,0.0,2.25,0.0,1.5,0.7071067811865476,0.75,0.0,0.25,0.0
Grid 1: eta_W (50 %),"{COPI}0.2",0.2,1,2,0.5,,0.5,,1.0,,0.5,,0.5,,0.5,,1.0,,2.25,,1.0,,0.5,,0.5,
Grid 2,BP (SGD),,1,1,0.5,,0.5,,0.5,,0.25,,0.5,,0.5,,1.0,,1.5,,,,,,,
"""
MARKDOWN = f"""\
## Grid 1: eta_W (50 %)

| method | seeds x epochs | train % | test % | best test % | 99 % at | train loss | test loss |
| --- | --- | --- | --- | --- | --- | --- | --- |
| {COPI}0.1 | 2x2 | 87.50 ± 17.68 | 50.00 ± 35.36 | 62.50 ± 17.68 | 2.0 ± 0.0 | 1.0000 ± 0.0000 | 0.5000 ± 0.0000 |
| {COPI}0.2 | 1x2 | 50.00 | 50.00 | 50.00 | 1.0 | 1.0000 | 0.5000 |

| method | runs | val % | test % | epoch |
| --- | --- | --- | --- | --- |
| {COPI}0.1 | 2 | 75.00 ± 0.00 | 25.00 ± 0.00 | 1.5 ± 0.7 |
| {COPI}0.2 | 1 | 50.00 | 50.00 | 1.0 |

## Grid 2

| method | seeds x epochs | train % | test % | best test % | 99 % at | train loss | test loss |
| --- | --- | --- | --- | --- | --- | --- | --- |
| BP (SGD) | 1x1 | 50.00 | 50.00 | 50.00 | 1.0 | 0.5000 | 0.2500 |
"""
LATEX_COPI = COPI.replace("_", r"\_")
LATEX_FIRST = LATEX_COPI + " & ".join(
    ["0.1", "2x2", *(f"{mean} $\\pm$ {deviation}" for mean, deviation in (
        ("87.50", "17.68"), ("50.00", "35.36"), ("62.50", "17.68"), ("2.0", "0.0"), ("1.0000", "0.0000"),
        ("0.5000", "0.0000"),
    ))]
)  # fmt: skip
LATEX = rf"""% Grid 1: eta_W (50 %)
\begin{{tabular}}{{lrrrrrrr}}
\toprule
method & seeds x epochs & train \% & test \% & best test \% & 99 \% at & train loss & test loss \\
\midrule
{LATEX_FIRST} \\
{LATEX_COPI}0.2 & 1x2 & 50.00 & 50.00 & 50.00 & 1.0 & 1.0000 & 0.5000 \\
\bottomrule
\end{{tabular}}

% Grid 1: eta_W (50 %)
\begin{{tabular}}{{lrrrr}}
\toprule
method & runs & val \% & test \% & epoch \\
\midrule
{LATEX_COPI}0.1 & 2 & 75.00 $\pm$ 0.00 & 25.00 $\pm$ 0.00 & 1.5 $\pm$ 0.7 \\
{LATEX_COPI}0.2 & 1 & 50.00 & 50.00 & 1.0 \\
\bottomrule
\end{{tabular}}

% Grid 2
\begin{{tabular}}{{lrrrrrrr}}
\toprule
method & seeds x epochs & train \% & test \% & best test \% & 99 \% at & train loss & test loss \\
\midrule
BP (SGD) & 1x1 & 50.00 & 50.00 & 50.00 & 1.0 & 0.5000 & 0.2500 \\
\bottomrule
\end{{tabular}}
"""


def test_the_summary_has_settings_and_config_but_no_seed(groups):
    """What seeds share is said once; a seed's own number of epochs is not the group's."""
    found = json.loads(FORMATS["json"](groups))[0]
    assert {name: found[name] for name in ("label", "grid", "settings", "seeds", "epochs")} == {
        "label": f"{COPI}0.1", "grid": "Grid 1: eta_W (50 %)", "settings": {"eta_W": 0.1}, "seeds": [0, 1], "epochs": 2,
    }  # fmt: skip
    expected = {name: value for name, value in CONFIG.as_dict().items() if name not in {"seed", "epochs"}}
    assert found["config"] == json.loads(json.dumps(expected))
    assert found["test_accuracy"] == {"mean": 0.5, "deviation": 0.3535533905932738, "by_seed": [0.75, 0.25]}


def test_the_peak_is_reached_at_just_99_per_cent_of_it():
    assert epochs_to_peak([epoch(1, 0.98, 0, 0), epoch(2, 0.99, 0, 0), epoch(3, 1.0, 0, 0)]) == 2


@pytest.mark.parametrize(("form", "expected"), [("csv", CSV), ("markdown", MARKDOWN), ("latex", LATEX)])
def test_every_character_of_a_table(groups, form, expected):
    assert FORMATS[form](groups) == expected


def test_one_grid_alone_is_not_named(groups):
    groups = [replace(group, grid="") for group in groups[:2]]
    assert FORMATS["csv"](groups).startswith("method,eta_W,seeds,epochs,train_accuracy,")
    assert FORMATS["csv"](groups).splitlines()[1].startswith(f'"{COPI}0.1",0.1,2,2,0.875,')
    assert FORMATS["markdown"](groups) == MARKDOWN[MARKDOWN.index("| method") : MARKDOWN.index("\n## Grid 2")]
    assert FORMATS["latex"](groups).startswith(r"\begin{tabular}")


HISTORY = """\
method,eta_W,seed,epoch,train_accuracy,test_accuracy,train_loss,test_loss,seconds,val_accuracy,val_loss,\
decorrelation_loss_0
"COPI (BP), eta_W=0.2",0.2,0,1,0.5,0.5,0.5,0.25,1.5,0.5,2.0,0.125
"COPI (BP), eta_W=0.2",0.2,0,2,0.5,0.5,1.0,0.5,3.0,0.25,2.0,0.125
BP (SGD),,0,1,0.5,0.5,0.5,0.25,1.5,,,0.125
"""
HISTORY_MARKDOWN = """\
| method | seed | epoch | train % | val % | test % | train loss | test loss |
| --- | --- | --- | --- | --- | --- | --- | --- |
| COPI (BP), eta_W=0.2 | 0 | 1 | 50.00 | 50.00 | 50.00 | 0.5000 | 0.2500 |
| COPI (BP), eta_W=0.2 | 0 | 2 | 50.00 | 25.00 | 50.00 | 1.0000 | 0.5000 |
| BP (SGD) | 0 | 1 | 50.00 |  | 50.00 | 0.5000 | 0.2500 |
"""
HISTORY_LATEX = r"""\begin{tabular}{lrrrrrrr}
\toprule
method & seed & epoch & train \% & val \% & test \% & train loss & test loss \\
\midrule
COPI (BP), eta\_W=0.2 & 0 & 1 & 50.00 & 50.00 & 50.00 & 0.5000 & 0.2500 \\
COPI (BP), eta\_W=0.2 & 0 & 2 & 50.00 & 25.00 & 50.00 & 1.0000 & 0.5000 \\
BP (SGD) & 0 & 1 & 50.00 &  & 50.00 & 0.5000 & 0.2500 \\
\bottomrule
\end{tabular}
"""
HISTORY_JSON = """\
[
 {
  "label": "BP (SGD)",
  "grid": "Grid 2",
  "seed": 0,
  "history": [
   {
    "epoch": 1,
    "train_accuracy": 0.5,
    "test_accuracy": 0.5,
    "train_loss": 0.5,
    "test_loss": 0.25,
    "decorrelation_loss": [
     0.125
    ],
    "seconds": 1.5
   }
  ]
 }
]
"""


@pytest.mark.parametrize(
    ("form", "expected"), [("csv", HISTORY), ("markdown", HISTORY_MARKDOWN), ("latex", HISTORY_LATEX)]
)
def test_every_character_of_a_history(groups, form, expected):
    assert HISTORY_FORMATS[form](groups[1:]) == expected


def test_every_character_of_a_history_in_json(groups):
    assert HISTORY_FORMATS["json"](groups[2:]) == HISTORY_JSON


def test_what_latex_would_read_as_commands_is_escaped(groups):
    named = [replace(groups[2], label="R&X_1 #2 100 % $x")]
    assert r"R\&X\_1 \#2 100 \% \$x & 1x1 &" in FORMATS["latex"](named)
