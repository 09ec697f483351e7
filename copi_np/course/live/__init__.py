"""Figures that respond to a pointer: ``show("decorrelation")`` in a notebook. They need neither a kernel nor a network.

The web site shows the same figures. Each is a JavaScript module in this folder, which computes with `rules.mjs`, the
equations of `copi_np.rules`, and draws with `drawing.mjs` and `controls.mjs`. Here the modules become one script, since
browsers do not load modules from files on disk. In a module, imports have the form ``import { a, b } from "./c.mjs";``,
and ``export`` begins a line, before ``function``, ``class`` or ``const``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import TopologicalSorter
from html import escape
from importlib.resources import files
from typing import Final, final

from copi_np.errors import choose

FIGURES: Final = {
    "decorrelation": "Decorrelation of two inputs",
    "step_size": "The step size of decorrelation",
    "layer": "COPI and SGD on one layer",
    "synapse": "Hebb, Oja and COPI for one unit",
    "compression": "Compression of a trained network",
    "fields": "Receptive fields by layer",
}
"""Names of the figures, and their titles."""

_IMPORT: Final = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.mjs";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:function|class|const) (\w+))", re.MULTILINE)
_MOUNT: Final = """for (const root of document.querySelectorAll("[data-live]"))
  ({{ {figures} }})[root.dataset.live].mount(root);
"""
_FIT: Final = """if (frameElement) new ResizeObserver(() => {
  frameElement.style.height = `${document.documentElement.offsetHeight}px`;
}).observe(document.documentElement);
"""


@final
@dataclass(frozen=True, repr=False)
class LiveFigure:
    """A figure that Jupyter shows in a frame of its own.

    Parameters
    ----------
    name : str              a key of `FIGURES`
    """

    name: str

    def _repr_html_(self) -> str:
        frame = f'<iframe title="{FIGURES[self.name]}" style="width: 100%; height: 600px; border: 0"'
        return f'{frame} srcdoc="{escape(document(self.name))}"></iframe>'

    def __repr__(self) -> str:
        return f"{FIGURES[self.name]}: a live figure, for a notebook or a browser"


def show(name: str) -> LiveFigure:
    """Return a live figure, as the last line of a notebook cell.

    Parameters
    ----------
    name : str              "decorrelation", "step_size", "layer", "synapse", "compression" or "fields"

    Raises
    ------
    InputError              if there is no such figure
    """
    choose("figure", name, FIGURES)
    return LiveFigure(name)


def document(name: str) -> str:
    """Return a figure as an HTML document that loads no other file."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{FIGURES[name]}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{stylesheet()}</style></head>'
        f"<body>{place(name)}<script>{script(name)}{_FIT}</script></body></html>\n"
    )


def place(name: str) -> str:
    """Return the element of a page in which the script puts a figure."""
    return (
        f'<div class="live" data-live="{name}" role="region" aria-label="{FIGURES[name]}">'
        "<p>This figure needs JavaScript.</p></div>"
    )


def stylesheet() -> str:
    """Return the style sheet of all figures."""
    return (files(__name__) / "live.css").read_text(encoding="utf-8")


def script(*figures: str) -> str:
    """Return one script with these figures, and all that they import, which fills their places in a page."""
    texts, missing = {}, list(figures)
    while missing:
        name = missing.pop()
        texts[name] = (files(__name__) / f"{name}.mjs").read_text(encoding="utf-8")
        missing += [module for _, module in _IMPORT.findall(texts[name]) if module not in texts]
    needs = {name: [module for _, module in _IMPORT.findall(text)] for name, text in texts.items()}
    modules = [_as_object(name, texts[name]) for name in TopologicalSorter(needs).static_order()]
    return f"(() => {{\n{''.join(modules)}{_MOUNT.format(figures=', '.join(figures))}}})();\n"


def _as_object(name: str, text: str) -> str:
    """Return a module as an object that holds what it exports."""
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = \2;", text))
    return f"const {name} = (() => {{\n{body}return {{ {', '.join(_EXPORT.findall(text))} }};\n}})();\n"
