"""The worker's side of a check: what it is, a frame alone and together, and the folder that it shares."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.files import write_atomically
from bench.farm.check.signs import Signs
from bench.farm.dispatch.answers import DONE, FAILED, FOLDER, error_words
from bench.farm.dispatch.view import FARM
from bench.farm.worker import SHOT_COPY, NotShared, Order, backend_of, compile_once, node, require_folder

if TYPE_CHECKING:
    from bench.backend.protocol import Backend
    from bench.pipeline.frame import RendererLike
    from bench.pipeline.scene.build import Scene
    from bench.shot.load import Shot

NOTHING, PROBE = "nothing", "probe"  # what is asked of a worker
TURN_WITHIN_S = 3600.0  # a worker's turn comes after all others'
LARGE_BYTES = 32 * 2**20
REPEATS = 5
FRAME = 1  # the first, which needs no state


def answer(order: Order) -> dict[str, object]:
    """Do what a check asks; never raises."""
    me = {"node": node(), "worker": os.environ.get("PARSL_WORKER_RANK") or "0"}
    if order["ask"] == NOTHING:
        return {**me, "outcome": DONE}
    try:
        require_folder(order)
        return {**me, "outcome": DONE, **_probe(order, f"{me['node']}~{me['worker']}")}
    except NotShared as error:
        return {**me, "outcome": FAILED, "kind": FOLDER, "why": str(error)}
    except Exception as error:
        return {**me, "outcome": FAILED, **error_words(error)}


def _probe(order: Order, name: str) -> dict[str, object]:
    signs = Signs(Path(order["signs"]))
    signs.give(f"here-{name}", {"machine": _boot_id() or node()})
    signs.wait(f"alone-{name}", TURN_WITHIN_S)  # before anything is imported: how long that takes is asked too
    begun = time.perf_counter()
    backend = backend_of(order)
    import numba

    from bench import __version__
    from bench.farm.place import place_of
    from bench.pipeline.makers import MAKERS
    from bench.record import machine
    from bench.shot.load import load_shot
    from kernels.base.registry import source_digest

    import_s = time.perf_counter() - begun
    shot = load_shot(Path(order["out"]) / FARM / SHOT_COPY)
    compile_once(backend)
    begun = time.perf_counter()
    scene = MAKERS.build_scene(shot, order["size"], threads=backend.threads)
    renderer = MAKERS.renderer(scene, backend)
    _, hashes = _frame(order, shot, scene, renderer, backend)
    first_s = time.perf_counter() - begun
    begun = time.perf_counter()
    alone, _ = _frame(order, shot, scene, renderer, backend)
    start_s = max(0.0, first_s - (time.perf_counter() - begun))
    found: dict[str, object] = {
        "threads": backend.threads or 1,
        "backend": backend.name,
        "device": place_of(backend).device,
        "python": platform.python_version(),
        "numba": numba.__version__,
        "cupy": machine.libraries().get("cupy") if backend.is_gpu else None,
        "version": __version__,
        "kernels": source_digest(),
        "import_s": import_s,
        "start_s": start_s,
        "hashes": hashes,
        "machine": _boot_id() or node(),
        "cores": _cores(),
        "memory_bytes": _memory_bytes(),
        "alone": alone,
    }
    signs.give(f"alone-done-{name}")
    if signs.wait(f"disk-{name}", TURN_WITHIN_S).get("asked"):
        found["disk"] = _disk(Path(order["signs"]), name, signs)
    signs.give(f"disk-done-{name}")
    signs.wait("together", TURN_WITHIN_S)
    found["together"], _ = _frame(order, shot, scene, renderer, backend)
    return found


def _frame(
    order: Order, shot: Shot, scene: Scene, renderer: RendererLike, backend: Backend
) -> tuple[dict[str, object], dict[str, str]]:
    """Seconds of a frame's stages, and its hashes."""
    import numpy as np

    from bench.pipeline.folder.pictures import write_png
    from bench.pipeline.frame import SIMULATE, SURFACE, make_frame, proved_digest
    from bench.pipeline.makers import MAKERS

    simulation = MAKERS.simulation(scene, backend)
    laps: dict[str, float] = {}

    def lap(stage: str) -> None:
        backend.synchronize()
        laps[stage] = time.perf_counter()

    backend.synchronize()
    begun = time.perf_counter()
    made = make_frame(simulation, renderer, FRAME, lap=lap)
    ended = time.perf_counter()
    stem = Path(order["signs"]) / f"{node()}-{os.environ.get('PARSL_WORKER_RANK', '0')}"
    hashes = {"state": simulation.state_digest(), "picture": proved_digest(made.picture, FRAME)}
    writing = time.perf_counter()
    write_png(made.picture, scene, FRAME, stem.with_suffix(".png"))
    with open(stem.with_suffix(".npz"), "wb") as file:
        np.savez(file, **simulation.snapshot())  # type: ignore[arg-type]
    written = time.perf_counter()
    for suffix in (".png", ".npz"):
        stem.with_suffix(suffix).unlink()
    seconds: dict[str, object] = {
        "shot": shot.name,
        "size": order["size"],
        "frame": FRAME,
        "simulate_s": laps[SIMULATE] - begun,
        "surface_s": laps[SURFACE] - laps[SIMULATE],
        "trace_s": ended - laps[SURFACE],
        "write_s": written - writing,
    }
    return seconds, hashes


def _disk(folder: Path, name: str, signs: Signs) -> dict[str, float]:
    """How fast the shared folder is from this node, and how soon the submitting side sees what is new there."""
    large, small = folder / f"large-{name}", folder / f"small-{name}"
    content = os.urandom(2**20) * (LARGE_BYTES // 2**20)
    write_s = _seconds(lambda: write_atomically(large, content))
    with open(large, "rb") as file:
        if hasattr(os, "posix_fadvise"):  # else it would come from this node's memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    read_s = _seconds(large.read_bytes)
    sync_s = statistics.median(_seconds(lambda: write_atomically(small, b"small")) for _ in range(REPEATS))
    for path in (large, small):
        path.unlink()
    seen = []
    for turn in range(REPEATS):
        signs.give(f"new-{name}-{turn}", {"at_s": time.time()})
        said = signs.wait(f"seen-{name}-{turn}", 60.0)
        seen.append(max(0.0, float(str(said["after_s"]))))
    return {
        "write_bytes_per_s": LARGE_BYTES / max(write_s, 1e-9),
        "read_bytes_per_s": LARGE_BYTES / max(read_s, 1e-9),
        "sync_s": sync_s,
        "visible_s": statistics.median(seen),
    }


def _seconds(what: Callable[[], object]) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def _boot_id() -> str | None:
    """What nodes of one machine share."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _cores() -> int:
    from bench.backend.limits import usable_cores

    return usable_cores()


def _memory_bytes() -> int:
    from bench.backend.limits import usable_memory_bytes

    return usable_memory_bytes()


def verdict(found: Mapping[str, Any], golden: Mapping[str, str] | None, others: Mapping[str, Any]) -> str:
    """``golden``, or what differs: from the golden hashes, or where there are none from another worker's."""
    wanted, whose = (golden, "the golden one") if golden else (others, "another worker's")
    wrong = [what for what in ("state", "picture") if wanted.get(what) != found.get(what)]
    return f"differ: {' and '.join(wrong)} of frame {FRAME}, not {whose}" if wrong else "golden"
