"""Calls JavaScript modules of the live figures, in node or in Chromium, and returns their values."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files

import numpy as np

FOLDER = files("copi_np.course.live")
EVALUATE = """async ([address, code, values]) => {
  const module = await import(address);
  const scope = { ...module, ...values };
  return JSON.stringify(new Function(...Object.keys(scope), `return ${code}`)(...Object.values(scope)));
}"""


def as_json(value):
    """Convert arrays to nested lists, for `json.dumps`."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


class Node:
    """Modules in node."""

    def __init__(self, program):
        self.program = program

    def __call__(self, module, code, **values):
        """Return the value of an expression in which the exports of a module and these values are variables."""
        call = json.dumps([(FOLDER / f"{module}.mjs").as_uri(), code, values], default=as_json)
        script = f"process.stdout.write(await ({EVALUATE})({call}))"
        command = [self.program, "--input-type=module"]
        result = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


class Browser:
    """Modules in a tab of Chromium. No server: the tab gets the files of the package."""

    def __init__(self, tab):
        self.tab = tab
        tab.route("**/*", self._answer)
        tab.goto("http://live.invalid/")

    def _answer(self, route):
        name = route.request.url.rpartition("/")[2]
        text = (FOLDER / name).read_text(encoding="utf-8") if name else "<!doctype html>"
        route.fulfill(body=text, content_type="text/javascript" if name else "text/html")

    def __call__(self, module, code, **values):
        """Return the value of an expression, as `Node` does."""
        values = json.loads(json.dumps(values, default=as_json))
        return json.loads(self.tab.evaluate(EVALUATE, [f"/{module}.mjs", code, values]))
