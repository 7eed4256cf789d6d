"""What a worker does with an order: one task of a shot, in a process that keeps scene and renderer for the next one.

Parsl calls ``perform`` by its name with plain values, and gets plain values back: an answer, whatever happened. Nothing
heavy is imported before the process has its GPU and its number of threads.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.errors import Unavailable, one_line
from bench.base.files import whole_file
from bench.farm.dispatch.answers import DONE, ELSEWHERE, FAILED, FOLDER, UNUSABLE, error_words
from bench.farm.dispatch.task import ASSEMBLE, SIMULATE
from bench.farm.dispatch.view import FARM, NOW
from bench.farm.engine.providers import GPUS

if TYPE_CHECKING:
    from bench.backend.protocol import Backend
    from bench.pipeline.frame import Makers
    from bench.pipeline.tasks.maker import TaskMaker

Order = Mapping[str, Any]
TOKEN, SHOT_COPY = "token", "shot.toml"  # in OUT/farm: which run has the folder, and what it renders
SEEN_WITHIN_S = 15.0  # a file that was just written is seen by all nodes
COMPILE_WITHIN_S = 1800.0  # of another worker that fills the same cache


class NotShared(Unavailable):
    """This node does not see the shot's folder."""


class OtherInstallation(Unavailable):
    """What is installed on this node would make other frames."""


@dataclass
class _Kept:
    """What a process keeps from order to order."""

    key: tuple[object, ...] = ()  # what the maker is for
    maker: TaskMaker | None = None
    begun_at_s: float | None = None  # when the first order came, unix time
    tasks: int = 0  # that were done here


_kept = _Kept()


def perform(order: Order) -> dict[str, object]:
    """Do one task; the answer says what was made, or what went wrong. Never raises."""
    begun_s = time.time()
    _kept.begun_at_s = _kept.begun_at_s or begun_s
    me: dict[str, object] = {"node": node(), "worker": os.environ.get("PARSL_WORKER_RANK"), "pid": os.getpid()}
    me |= {"ready_at_s": _kept.begun_at_s, "block": os.environ.get("PARSL_WORKER_BLOCK_ID")}
    if [me["node"], str(me["worker"])] in [list(one) for one in order["avoid"]] and order["others"]:
        return {**me, "outcome": ELSEWHERE, "begun_s": begun_s, "ended_s": time.time()}
    try:
        require_folder(order)
        with _noted(order, me, begun_s):
            maker = _maker(order)
            made = _do(maker, order)
        _kept.tasks += 1
        words: dict[str, object] = {"outcome": DONE, "made": made}
        words |= describe(maker.backend, maker.place.device)
    except NotShared as error:
        words = {"outcome": FAILED, "kind": FOLDER, "why": one_line(error)}
    except OtherInstallation as error:
        words = {"outcome": FAILED, "kind": UNUSABLE, "why": one_line(error)}
    except Exception as error:
        _forget()
        words = {"outcome": FAILED, **error_words(error)}
    return {**me, **words, "begun_s": begun_s, "ended_s": time.time()}


def node() -> str:
    """This node's name, as pieces of work say it."""
    import platform

    return os.environ.get("SLURMD_NODENAME") or platform.node()


def describe(backend: Backend, device: str) -> dict[str, object]:
    """What a worker says of itself."""
    return {"backend": backend.name, "threads": backend.threads, "device": device}


def require_folder(order: Order) -> None:
    """Raise NotShared where this node does not see the run's folder."""
    path, until = Path(order["out"]) / FARM / TOKEN, time.monotonic() + SEEN_WITHIN_S
    while True:
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8") == order["token"]:
                return
            os.listdir(path.parent)  # a client of NFS asks its server anew
        if time.monotonic() > until:
            raise NotShared(f"{order['out']} is not the folder of this run")
        time.sleep(0.5)


def backend_of(order: Order) -> Backend:
    """The device of this worker, chosen before anything that compiles is imported. Raises UserError, Unavailable.

    How many threads Numba makes at all, its shell was told before (``providers.first_lines``).
    """
    pin_gpu()
    from bench.backend.choose import make_backends

    return make_backends(order["backend"], order["threads"])[0]


def pin_gpu() -> None:
    """Give this process its GPU of those that the scheduler gave its node.

    Parsl numbers a node's GPUs from 0, which is right only where a job has the whole node.
    """
    given = [one for one in os.environ.get(GPUS, "").split(",") if one.strip()]
    rank, count = os.environ.get("PARSL_WORKER_RANK", ""), os.environ.get("PARSL_WORKER_COUNT", "")
    if given and rank.isdigit() and count.isdigit() and int(rank) < int(count) and "CUDA_VISIBLE_DEVICES" in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = given[int(rank) * len(given) // int(count)]


def compile_once(backend: Backend) -> None:
    """Fill the caches of compiled code; of several workers that share one, the first does it and the others wait."""
    from bench.backend.ahead import prepare, uncached
    from bench.base.errors import UserError
    from bench.base.locks import acquire, lock_of
    from bench.base.progress import Silent
    from bench.pipeline.makers import COMPILED
    from kernels.base import cache

    with contextlib.ExitStack() as stack:
        if uncached(COMPILED, kernels=not backend.is_gpu):
            lock = lock_of(Path(cache.folder_of_code()) / ".farm.lock")
            with contextlib.suppress(OSError, UserError):  # without locks each compiles for itself
                if acquire(lock, COMPILE_WITHIN_S):
                    stack.callback(lock.release)
        prepare([backend], Silent(), COMPILED)


@contextlib.contextmanager
def _noted(order: Order, me: Mapping[str, object], begun_s: float) -> Iterator[None]:
    """Say who is at a task, and end this process where the task takes longer than its limit.

    The limit works from outside Python: also while a kernel has the interpreter, and while a driver does not answer.
    """
    now = Path(order["out"]) / FARM / NOW
    note, late = now / f"{order['note']}.json", now / f"{order['note']}.late"
    words = {**me, "task": order["task"], "begun_s": begun_s}
    with whole_file(note, on_disk=False) as temporary:
        temporary.write_text(json.dumps(words), encoding="utf-8")
    limit_s = order["limit_s"]
    with open(late, "w", encoding="utf-8") as file:
        try:
            if limit_s is not None:
                first_s = order["start_limit_s"] if _kept.tasks == 0 else 0.0
                faulthandler.dump_traceback_later(limit_s + first_s, exit=True, file=file)
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            for path in (note, late):
                with contextlib.suppress(OSError):
                    path.unlink()


def _maker(order: Order, makers: Makers | None = None) -> TaskMaker:
    """The maker of this run's tasks, built at the first of them. Raises what stands in the way."""
    key = (order["token"], order["backend"], order["threads"])
    if _kept.maker is not None and _kept.key == key:
        return _kept.maker
    _forget()
    backend = backend_of(order)
    from bench.check.golden import definition_sha256, golden_of
    from bench.farm.place import place_of
    from bench.pipeline.folder.task_folder import TaskFolder
    from bench.pipeline.makers import MAKERS
    from bench.pipeline.shoot import RenderJob
    from bench.pipeline.tasks.maker import TaskMaker
    from bench.shot.load import load_shot

    shot = load_shot(Path(order["out"]) / FARM / SHOT_COPY)
    job = RenderJob(shot, order["size"], (), order["samples"])
    _require_same(order["header"], job.header(definition_sha256(shot)))
    compile_once(backend)
    golden = golden_of(shot, order["size"], order["samples"])
    folder = TaskFolder(Path(order["out"]), order["header"])
    _kept.maker = TaskMaker(job, folder, backend, makers or MAKERS, place_of(backend), golden)
    _kept.key = key
    return _kept.maker


def _require_same(wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    """Raise OtherInstallation where this node's Shotmark would make other frames than the one that started the run."""
    for key in ("version", "kernels", "definition"):
        if wanted[key] != found[key]:
            said = f"{str(found[key])[:12]!r}, not {str(wanted[key])[:12]!r}"
            raise OtherInstallation(
                f"its Shotmark has {key} {said}: all nodes need the installation that this command was started from"
            )


def _do(maker: TaskMaker, order: Order) -> list[dict[str, object]]:
    """What a task made, in its own words."""
    task, kinds = order["task"], order["kinds"]
    kind, frame = task["kind"], task["frame"]
    if kind == SIMULATE:
        from bench.pipeline.makers import require_memory

        require_memory(maker.job.shot, maker.job.size, maker.backend)
        made = maker.simulate(task["frames"], kinds)
    elif kind == ASSEMBLE:
        made = maker.assemble([frame], kinds)
    elif task["part"] is not None:
        from bench.pipeline.parts import Part

        one = maker.part(frame, Part(*task["part"]))
        made = [one] if one is not None else []
    else:
        one = maker.render(frame, kinds)
        made = [one] if one is not None else []
    return [each.document() for each in made]


def _forget() -> None:
    """After a failure nothing is kept: what it left behind may be what it failed of."""
    if _kept.maker is not None:
        with contextlib.suppress(Exception):
            _kept.maker.backend.release()
    _kept.maker, _kept.key = None, ()
