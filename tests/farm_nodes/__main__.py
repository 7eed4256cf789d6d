"""``python -m tests.farm_nodes up`` starts a Slurm by hand, ``down`` stops it and removes its folder; as root."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.farm_nodes.slurm import Slurm, start, why_not


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.farm_nodes", description=__doc__)
    ask.add_argument("what", choices=("up", "down"))
    ask.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "shotmark-slurm")
    ask.add_argument("--nodes", type=int, default=3)
    ask.add_argument("--gpus", type=int, default=2, help="of a node; none of them is real")
    ask.add_argument("--cores", type=int, default=2, help="of a node; all nodes share this machine's")
    given = ask.parse_args()
    if reason := why_not():
        print(reason)
        return 3
    if given.what == "up":
        try:
            slurm = start(given.folder, given.nodes, given.gpus, given.cores)
        except RuntimeError as error:
            print(error)
            return 2
        print(f"export SLURM_CONF={slurm.conf}")
    elif (slurm := Slurm(given.folder.resolve())).conf.exists():
        slurm.stop()
        shutil.rmtree(slurm.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
