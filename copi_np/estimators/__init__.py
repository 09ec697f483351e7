"""COPI for scikit-learn: a classifier, a regressor and a decorrelating transformer; ``pip install 'copi-np[sklearn]'``.

They take NumPy arrays, pandas frames and lists, but no sparse matrices. NumPy is the only array library they accept,
even with ``sklearn.set_config(array_api_dispatch=True)``.
"""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError("copi_np.estimators needs scikit-learn: pip install 'copi-np[sklearn]'", name="sklearn")

from copi_np.estimators.classifier import COPIClassifier
from copi_np.estimators.decorrelator import Decorrelator
from copi_np.estimators.regressor import COPIRegressor

__all__ = ["COPIClassifier", "COPIRegressor", "Decorrelator"]
