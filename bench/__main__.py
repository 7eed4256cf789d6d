"""``python -m bench``: the same as ``shotmark``."""

from bench.cli.start import main

if __name__ == "__main__":
    main()
