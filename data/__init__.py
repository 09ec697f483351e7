"""The bundled data sets; load them with ``copi_np.load_dataset("mnist-5k")`` and ``load_dataset("digits-8x8")``."""
