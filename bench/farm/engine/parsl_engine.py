"""Parsl as the engine: a HighThroughputExecutor for each pool, nodes as blocks; it starts them, and carries tasks.

Of Parsl only that is used. It tries nothing again, and its scaling only starts the first blocks: it would ask for a new
node where more tasks wait than there are places, and here none waits (the order is the dispatcher's). So a node that
has gone is asked for again here.
"""

from __future__ import annotations

import logging
import queue
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.base.errors import Unavailable, UserError, one_line
from bench.farm.engine import interchange
from bench.farm.engine.protocol import Order, Returned
from bench.farm.engine.providers import accelerators, drain_s, provider_of, require_partition, require_provider
from bench.farm.site import Pool, Site

LOOK_S = 0.5  # between two questions who is connected
PERIOD_S = 2  # between two looks of Parsl at its blocks
FRUITLESS_MOST = 3  # times that a pool's nodes may end without a worker before it is given up
CLOSE_S = 30.0
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+=@%,-]+")  # Parsl puts paths into shell scripts as they are
HELPS = "pip install 'shotmark[farm]'"


def require_engine(site: Site, folder: Path) -> None:
    """Raise Unavailable or UserError where Parsl cannot work here with this site and this folder, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import parsl  # noqa: F401
    except ImportError as error:
        raise Unavailable(f"the farm's engine, Parsl, is not installed ({one_line(error)}): {HELPS}") from None
    for pool in site.pools:
        require_provider(pool)
        require_partition(pool, site.path)
    if not PLAIN_PATH.fullmatch(str(folder.absolute())):
        raise UserError(f"{folder}: expected a path of A-Z, a-z, 0-9 and ._/+=@%,- (Parsl takes no other)")


class ParslEngine:
    """Workers of a site; ``close`` has to follow."""

    def __init__(self, site: Site, folder: Path, call: Callable[[Order], object], longest_s: float = 0.0) -> None:
        """``folder`` is for Parsl's own files, seen by all nodes; ``call`` is what a worker does with an order.

        ``longest_s`` is about what the longest piece of work takes: nodes stop so long before their wall time.
        """
        logging.getLogger("parsl").addHandler(logging.NullHandler())  # else what ends last would tell the terminal
        self._pools = {pool.name: pool for pool in site.pools}
        self._call = call
        self._back: queue.SimpleQueue[Returned] = queue.SimpleQueue()
        self._tickets = 0
        self._lock = threading.Lock()
        self._status: dict[str, dict[str, Any]] = {name: {} for name in self._pools}
        self._fruitless = dict.fromkeys(self._pools, 0)
        self._seen: dict[str, int] = dict.fromkeys(self._pools, 0)
        self._leaving: dict[str, set[str]] = {name: set() for name in self._pools}  # blocks that take no more tasks
        self._ever = dict.fromkeys(self._pools, False)
        self._looked_s = float("-inf")
        self._closing = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._kernel = self._start(site, folder, longest_s)
        # Parsl would leave its own log open
        self._logging = logging.FileHandler(Path(self._kernel.run_dir) / "parsl.log")
        self._logging.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logging.getLogger("parsl").addHandler(self._logging)
        logging.getLogger("parsl").setLevel(logging.INFO)

    def _start(self, site: Site, folder: Path, longest_s: float) -> Any:
        from parsl.config import Config
        from parsl.dataflow.dflow import DataFlowKernel

        try:
            executors = [self._executor(pool, longest_s) for pool in site.pools]
            config = Config(
                executors=executors,
                retries=0,
                run_dir=str(folder.absolute()),
                strategy="none",
                strategy_period=PERIOD_S,
                usage_tracking=0,
                initialize_logging=False,
            )
            return DataFlowKernel(config)
        except OSError:
            raise
        except Exception as error:  # of Parsl's own kinds, of a scheduler's, of a package's
            raise Unavailable(f"{site.path}: the farm's engine, Parsl, does not start: {one_line(error)}") from None

    def _executor(self, pool: Pool, longest_s: float) -> Any:
        from parsl.executors import HighThroughputExecutor
        from parsl.executors.high_throughput import interchange as theirs

        return HighThroughputExecutor(
            label=pool.name,
            provider=provider_of(pool),
            address=pool.address or ("127.0.0.1" if pool.provider == "local" else None),
            interchange_launch_cmd=[sys.executable, "-P", str(interchange.__file__), str(theirs.__file__)],
            max_workers_per_node=pool.workers,
            cores_per_worker=0.001,  # so many as the pool says, whatever Parsl thinks the node has
            heartbeat_threshold=pool.heartbeat_s,
            heartbeat_period=max(1, pool.heartbeat_s // 6),
            drain_period=drain_s(pool, longest_s),
            block_error_handler=self._look_at_blocks,
            **accelerators(pool),
        )

    # --- Engine ------------------------------------------------------------------------------
    def now(self) -> float:
        return time.time()

    def workers(self) -> Mapping[str, int]:
        if time.monotonic() - self._looked_s > LOOK_S:
            for name in self._pools:
                self._seen[name] = self._connected(name)
                self._ever[name] |= self._seen[name] > 0
            self._looked_s = time.monotonic()
        return dict(self._seen)

    def _connected(self, name: str) -> int:
        executor = self._kernel.executors[name]
        if executor.interchange_proc.poll() is not None:
            return 0
        found = executor.connected_managers()
        self._leaving[name] = {str(one["block_id"]) for one in found if one.get("draining")}
        return sum(int(one["worker_count"]) for one in found if one["active"] and not one.get("draining"))

    def submit(self, pool: str, order: Order) -> int:
        self._tickets += 1
        ticket = self._tickets
        try:
            future = self._kernel.executors[pool].submit(self._call, {}, dict(order))
        except Exception as error:
            self._back.put(Returned(ticket, None, one_line(error)))
        else:
            future.add_done_callback(lambda done: self._back.put(_returned(ticket, done)))
        return ticket

    def wait(self, most_s: float) -> list[Returned]:
        found: list[Returned] = []
        try:
            found.append(self._back.get(timeout=max(0.0, most_s)))
            while True:
                found.append(self._back.get_nowait())
        except queue.Empty:
            return found

    def queue(self) -> str:
        waiting = 0
        for name, pool in self._pools.items():
            states = [str(status.state.name) for status in self._status[name].values()]
            here = -(-self._seen[name] // pool.workers)
            waiting += max(0, sum(state in ("PENDING", "RUNNING") for state in states) - here)
        return f"{waiting} {'node is' if waiting == 1 else 'nodes are'} on the way" if waiting else ""

    def problem(self) -> str | None:
        """One line once every pool is given up, or its interchange has ended."""
        said = [line for name in self._pools if (line := self._problem_of(name)) is not None]
        return said[0] if len(said) == len(self._pools) else None

    def _problem_of(self, name: str) -> str | None:
        executor = self._kernel.executors[name]
        if executor.interchange_proc.poll() is not None:
            return f"pool {name}: Parsl's interchange has ended ({executor.logdir}/interchange.log says why)"
        if executor.bad_state_is_set:  # such as another Python on the nodes
            return f"pool {name}: {one_line(executor.executor_exception)}"
        if self._seen[name] or any(not status.terminal for status in dict(self._status[name]).values()):
            return None
        if not self._status[name] or (self._ever[name] and self._fruitless[name] < FRUITLESS_MOST):
            return None
        if self._fruitless[name] == 0:
            return None
        reasons = [_reason(status) for status in list(self._status[name].values())[-1:]]
        return f"pool {name}: no worker started: {reasons[0] if reasons else 'nobody says why'}"

    def renew(self, pool: str, sound: Collection[str]) -> None:
        """A worker that is killed while it waits holds the queue of its node for ever: its node has to go."""
        executor = self._kernel.executors[pool]
        sick = {str(one["block_id"]) for one in executor.connected_managers() if one["tasks"]} - set(sound)
        jobs = [executor.blocks_to_job_id[block] for block in sorted(sick) if block in executor.blocks_to_job_id]
        if jobs:
            executor.provider.cancel(jobs)

    def _look_at_blocks(self, executor: Any, status: Mapping[str, Any]) -> None:
        """In Parsl's thread, again and again: ask for a node again that has gone, unless none ever brings a worker."""
        pool = self._pools[executor.label]
        with self._lock:
            before, now = self._status[pool.name], dict(status)
            for block, one in now.items():
                over = one.terminal and not (block in before and before[block].terminal)
                if over and str(one.state.name) in ("FAILED", "MISSING"):
                    self._fruitless[pool.name] += 1
                elif over:
                    self._fruitless[pool.name] = 0
            self._status[pool.name] = now
            # One that takes no more tasks, for its wall time comes, is asked for again while it ends what it has
            leaving = self._leaving[pool.name]
            missing = pool.nodes - sum(not one.terminal and block not in leaving for block, one in now.items())
            most = FRUITLESS_MOST if self._ever[pool.name] else 1
            hopeless = self._fruitless[pool.name] >= most
            if now and missing > 0 and not hopeless and not self._closing:
                executor.scale_out_facade(missing)

    def close(self) -> None:
        """Cancel all blocks; ends after a while also where the scheduler does not answer."""
        if self._closing:
            return
        self._closing = True
        thread = threading.Thread(target=self._clean, daemon=True)
        thread.start()
        thread.join(CLOSE_S)
        logging.getLogger("parsl").removeHandler(self._logging)
        self._logging.close()

    def _clean(self) -> None:
        for name in self._pools:
            self._cancel_what_parsl_would_leave(self._kernel.executors[name])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._kernel.cleanup()
        except Exception as error:  # the workers end without the interchange, after a heartbeat
            logging.getLogger("parsl").warning("cleanup: %s", one_line(error))
            for name in self._pools:
                self._kernel.executors[name].interchange_proc.kill()

    def _cancel_what_parsl_would_leave(self, executor: Any) -> None:
        """Parsl asks the interchange before it cancels blocks, and cancels none of an executor that has failed."""
        if executor.interchange_proc.poll() is None and not executor.bad_state_is_set:
            return
        jobs = [job for block, job in dict(executor.blocks_to_job_id).items() if self._lives(executor.label, block)]
        try:
            executor.provider.cancel(jobs)
            executor.set_bad_state_and_fail_all(RuntimeError("the interchange has ended"))
        except Exception as error:
            logging.getLogger("parsl").warning("cancel: %s", one_line(error))

    def _lives(self, name: str, block: str) -> bool:
        status = self._status[name].get(block)
        return status is None or not status.terminal


def _returned(ticket: int, done: Future[Any]) -> Returned:
    if done.cancelled():
        return Returned(ticket, None, "cancelled")
    error = done.exception()
    if error is None:
        return Returned(ticket, done.result())
    return Returned(ticket, None, one_line(error))


def _reason(status: Any) -> str:
    """Why a block ended, in a few words: what the scheduler said, else the last line of what the node said."""
    said = str(status.message or "")
    errors = re.search(r"stderr=(.*)", said, re.DOTALL)
    if errors and errors[1].strip():
        return " ".join(errors[1].split())[:200]
    lines = [line.strip() for line in str(status.stderr_summary or "").splitlines() if line.strip()]
    if lines and lines[-1] != "--":
        return lines[-1][:200]
    return " ".join(said.split())[:200] or str(status.state.name).lower()
