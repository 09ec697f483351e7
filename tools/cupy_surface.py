"""Record CuPy's interface in ``tests/support/cupy_surface.json``: public names and parameters.

    python tools/cupy_surface.py

Run it where a wheel of CuPy 14 or newer and array-api-compat are installed; neither a GPU nor the CUDA libraries are
needed. Tests compare this package with the record (`tests/backend/test_cupy.py`) and build their mock of CuPy from it.

Each name is recorded with its parameters, ``(a, axis=..., *, out=...)``, or one of these words:

    (...)     callable, but CuPy does not give its parameters
    numpy     NumPy's own object of that name
    data      a constant, a module, or an attribute of an instance
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
from pathlib import Path
from typing import Any

import array_api_compat
import array_api_compat.cupy
import cupy
import numpy as np

TARGET = Path(__file__).parents[1] / "tests" / "support" / "cupy_surface.json"
UNKNOWN = "(...)"
COMPARISONS = {"__eq__", "__ge__", "__gt__", "__le__", "__lt__", "__ne__"}
NAMESPACES = {
    "cupy": cupy,
    "cupy.linalg": cupy.linalg,
    "cupy.ndarray": cupy.ndarray,
    "cupy.cuda": cupy.cuda,
    "cupy.cuda.runtime": cupy.cuda.runtime,
    "cupy.cuda.Device": cupy.cuda.Device,
    "cupy.cuda.Stream": cupy.cuda.Stream,
}
WRAPPERS = {
    "array_api_compat.cupy": (array_api_compat.cupy, cupy),
    "array_api_compat.cupy.linalg": (array_api_compat.cupy.linalg, cupy.linalg),
}


def members(namespace: Any) -> dict[str, Any]:
    """Return the public names of a module or class, and a class's operators, but no integers (hundreds of enums)."""
    found = {name: getattr(namespace, name) for name in dir(namespace) if not name.startswith("_")}
    if inspect.isclass(namespace):
        special = (name for name in dir(namespace) if name in COMPARISONS or name not in dir(object))
        operators = {name: getattr(namespace, name) for name in special if name.startswith("__")}
        found |= {name: value for name, value in operators.items() if inspect.isroutine(value)}
    return {name: value for name, value in found.items() if type(value) is not int}


def described(name: str, value: Any) -> str:
    """Return the parameters of `value`, or one of the words above."""
    if any(value is getattr(library, name, UNKNOWN) for library in (np, np.linalg)):
        return "numpy"
    if inspect.isgetsetdescriptor(value) or not (callable(value) or inspect.isroutine(value)):
        return "data"
    try:
        text = plain(inspect.signature(value))
    except (TypeError, ValueError):
        text = documented(value.__doc__ or "")
    return re.sub(r"^\((?:self|cls)\b(, /\)$)?(, )?", lambda match: "()" if match[1] else "(", text)


def plain(signature: inspect.Signature) -> str:
    """Return a signature without annotations, and with an ellipsis for every default."""
    empty = inspect.Parameter.empty
    parameters = [
        parameter.replace(annotation=empty, default=empty if parameter.default is empty else ...)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(parameters)).replace("Ellipsis", "...")


def documented(docstring: str) -> str:
    """Return the same, read from the first line of the docstring of a ufunc or compiled code, without C types."""
    line = next(iter(docstring.replace("\\", "").strip().splitlines()), "")
    match = re.match(r"[\w.]+\((.*)\)(?: -> .*)?$", line)
    if not match:
        return UNKNOWN
    parameters = []
    for parameter in re.split(r",\s*(?![^(\[]*[)\]])", match[1]):
        declared, *default = parameter.split("=", 1)
        parameters.append((declared.split() or [""])[-1] + ("=..." if default else ""))
    try:
        return plain(inspect.signature(eval(f"lambda {', '.join(parameters)}: None")))
    except SyntaxError:
        return UNKNOWN


def forwarded(wrapper: str, wrapped: str | None) -> str:
    """Return the parameters of a wrapper; ``**kwargs`` stands for the optional ones of CuPy's function."""
    own, rest = wrapper.removesuffix(")").split("**kwargs")[0], "**kwargs" in wrapper
    if not rest or wrapped is None or not wrapped.startswith("("):
        return wrapper
    optional = [name for name in re.findall(r"(\w+)=\.\.\.", wrapped) if not re.search(rf"\b{name}\b", own)]
    star = "" if not optional or re.search(r"\*", own) else "*, "
    return (own + star + ", ".join(f"{name}=..." for name in optional)).removesuffix(", ") + ")"


def cublas() -> dict[str, str]:
    """Return the functions of `cupy.cublas`, read from its source: importing it needs the CUDA libraries."""
    spec = importlib.util.find_spec("cupy.cublas")
    assert spec is not None
    assert spec.origin is not None
    functions = [node for node in ast.parse(Path(spec.origin).read_text()).body if isinstance(node, ast.FunctionDef)]
    return {
        function.name: documented(f"{function.name}({ast.unparse(function.args)})")
        for function in functions
        if not function.name.startswith("_")
    }


def surface() -> dict[str, dict[str, str]]:
    """Return the whole record; of array-api-compat only the names that are not CuPy's own objects."""
    versions = {module.__name__: module.__version__ for module in (array_api_compat, cupy, np)}
    record = {"versions": versions}
    for path, namespace in NAMESPACES.items():
        record[path] = {name: described(name, value) for name, value in members(namespace).items()}
    record["cupy.cublas"] = cublas()
    for path, (wrapper, wrapped) in WRAPPERS.items():
        record[path] = {
            name: forwarded(described(name, value), (record["cupy"] | record[wrapped.__name__]).get(name))
            for name, value in members(wrapper).items()
            if value is not getattr(wrapped, name, None)
        }
    return record


if __name__ == "__main__":
    TARGET.write_text(json.dumps(surface(), indent=1, sort_keys=True) + "\n")
