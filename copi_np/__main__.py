"""``python -m copi_np``: the ``copi-np`` command, also where it is not installed."""

from copi_np.cli import main

if __name__ == "__main__":
    main()
