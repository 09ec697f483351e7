"""The bundled data set ``mnist-5k``; load it with ``copi_np.datasets.load_dataset("mnist-5k")``."""
