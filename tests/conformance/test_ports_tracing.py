"""The conformance kit on ports to PyTorch and JAX, right and with each planted fault.

Run by `make test-tracing`; skipped where a library is missing (extra ``tracing``).
"""

from __future__ import annotations

import pytest
from ports import FAULTS, load_port

from copi_np.conformance import check_equations, check_theorems


@pytest.fixture(params=["torch", "jax"])
def port(request):
    """The name of a port whose library is here; JAX in float64."""
    library = pytest.importorskip(request.param, reason="install the extra 'tracing'")
    if request.param == "jax":
        library.config.update("jax_enable_x64", True)
    return f"{request.param}_port"


def causes(adapter):
    return [finding.cause for finding in check_equations(adapter)[0] if not finding.agrees]


def test_a_right_port_conforms(port):
    right = load_port(port)
    assert causes(right) == []
    assert causes(right.by_adam) == []
    assert [str(finding) for finding in check_theorems(right, 5) if not finding.agrees] == []


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{k}-{fault.cause}" for k, fault in enumerate(FAULTS)])
def test_a_planted_fault_is_diagnosed_by_name(fault, port):
    faulty = load_port(port, fault)
    found = causes(faulty.by_adam if fault.adam else faulty)
    assert any(fault.cause in cause for cause in found), found
