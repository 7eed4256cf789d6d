"""``python -m bench``: the same as ``shotmark``."""

from bench.cli.main import main

if __name__ == "__main__":
    main(prog_name="shotmark")
