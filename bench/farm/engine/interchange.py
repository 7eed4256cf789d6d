"""Start Parsl's interchange so that it ends with whoever started it, and does not hear a terminal's Ctrl-C.

``interchange.py SCRIPT`` runs SCRIPT as the main program. The interchange holds the connections of all workers: were it
to outlive a ``farm run`` that was killed, the workers would wait for tasks until their wall time; without it they end
after a heartbeat. Only the standard library is used, for nothing else may stand on the path.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time

LOOK_S = 1.0


def end_with(parent: int) -> None:
    """End this process once its parent is another one."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    os.setsid()
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
