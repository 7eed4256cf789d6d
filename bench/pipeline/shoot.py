"""Make the frames of a shot, in order, into a shot folder; what is finished is not made again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bench import __version__
from bench.backend.protocol import Backend
from bench.base.errors import UserError
from bench.base.progress import told_when_slow
from bench.pipeline.folder.frame_folder import FrameEntry
from bench.pipeline.folder.made import Laps, Made, MadeDocument, Place
from bench.pipeline.folder.pictures import Still, movie_name, stills_of, write_movie
from bench.pipeline.folder.shot_folder import ShotFolder
from bench.pipeline.folder.states import States
from bench.pipeline.frame import (
    MOVIE,
    FrameWork,
    HostState,
    Makers,
    Picture,
    SimulationLike,
    make_picture,
    proved_digest,
    require_hashes,
)
from bench.pipeline.gpu_pool.pool import Rendered, Worker, WorkerPool
from bench.pipeline.gpu_pool.process import workers_of
from bench.pipeline.scene.build import Scene
from bench.shot.load import Shot

STATE_INTERVAL_FRAMES = 4
STATE_INTERVAL_S = 60.0  # a state is kept at least this often

Golden = Callable[[int], Mapping[str, str] | None]  # frame -> SHA-256 that its state and picture have to have
Tell = Callable[[int, str], None]  # frames done, what happens now; ``within``: how far a long step has come


@dataclass(frozen=True)
class RenderJob:
    """What is rendered: frames of one shot at one size."""

    shot: Shot
    size: str
    frames: Sequence[int]  # in order
    samples: int | None = None  # per pixel; None: the size's

    @property
    def movie(self) -> str:
        """Name of the movie of these frames."""
        return movie_name(self.shot.name, self.frames, self.shot.frames)

    def header(self, definition_sha256: str) -> dict[str, str | int]:
        """What the frames are of: a folder holds frames of one such thing. Raises UserError."""
        from kernels.base.registry import source_digest

        shot = self.shot
        if not shot.name:
            raise UserError(f"{shot.path}: shot.name: expected a name")
        return {
            "shot": shot.name,
            "definition": definition_sha256,
            "size": self.size,
            "samples": self.samples or shot.size(self.size).samples,
            "version": __version__,
            "kernels": source_digest(),
        }


def render(
    job: RenderJob,
    folder: ShotFolder,
    kinds: Sequence[str],
    backend: Backend,
    makers: Makers,
    golden: Golden,
    tell: Tell,
    all_devices: bool = False,
    within: Callable[[str], None] = lambda text: None,
    place: Place | None = None,
    seen: Callable[[FrameWork], None] = lambda work: None,
) -> int:
    """Make the job's pictures in these formats, the movie last; returns how many frames were made.

    With ``all_devices`` every GPU of the machine renders. Raises CheckFailed when a frame's bits are not the golden
    ones.
    """
    workers = workers_of(backend) if all_devices else []
    try:
        made = shoot(job, folder, backend, makers, stills_of(kinds), golden, tell, workers, within, place, seen)
    finally:
        for worker in workers:
            worker.close()
    if MOVIE in kinds:
        tell(len(job.frames), "movie")
        write_movie(folder, job.movie, job.frames, job.shot.file.shot.frame_rate)
    return made


def shoot(
    job: RenderJob,
    folder: ShotFolder,
    backend: Backend,
    makers: Makers,
    stills: Mapping[str, Still],
    golden: Golden = lambda frame: None,
    tell: Tell = lambda done, text: None,
    workers: Sequence[Worker] = (),
    within: Callable[[str], None] = lambda text: None,
    place: Place | None = None,
    seen: Callable[[FrameWork], None] = lambda work: None,
) -> int:
    """Render the frames that are not finished; returns how many were made.

    The simulation goes on from the newest kept state whose digest is right. With ``workers`` every frame is rendered
    by one of them while the next is simulated. ``place`` is who works, as the entries of frames say; ``seen`` hears
    what the simulation of each frame did. Raises CheckFailed when a frame's bits are not the golden ones.
    """
    says = {suffix: still.says for suffix, still in stills.items()}
    needed = [frame for frame in job.frames if not is_golden(folder.finished_entry(frame, says), golden(frame))]
    done = len(job.frames) - len(needed)
    if not needed:
        return 0
    tell(done, "scene")
    told = told_when_slow("scene", within)
    scene = makers.build_scene(job.shot, job.size, threads=backend.threads, tell=told)
    for worker in workers:
        worker.begin(scene)
    simulation, first = start_simulation(scene, folder.states, backend, makers, golden, needed[0])
    renderer = None if workers else makers.renderer(scene, backend)
    wanted = set(needed)
    states: dict[int, str] = {}  # digests of frames that are being rendered
    made: dict[int, list[Made]] = {}  # the pieces of work of each

    def finish(frame: int, picture: Picture, piece: Made | None) -> None:
        nonlocal done
        found = {"state": states[frame], "picture": proved_digest(picture, frame)}
        require_hashes(found, golden(frame), where=f"frame {frame}: ")
        bound = {suffix: partial(still.write, picture, scene, frame) for suffix, still in stills.items()}
        begun = time.perf_counter()

        def pieces() -> list[MadeDocument]:
            last = [piece.ending(time.time(), time.perf_counter() - begun)] if piece else []
            return [one.document() for one in (*made.pop(frame, ()), *last)]

        folder.add(frame, states.pop(frame), found["picture"], bound, pieces)
        done += 1
        tell(done, f"frame {frame} done")

    def returned(one: Rendered) -> None:
        there = replace(place, device=one.device) if place else None
        ended_s = time.time()
        whole = Made.rendered(there, one.frame, ended_s - one.seconds, ended_s, trace_s=one.seconds) if there else None
        finish(one.frame, one.picture, whole)

    pool = WorkerPool(workers, returned, job.samples) if workers else None
    kept_at = time.monotonic()
    try:
        for frame in range(first, needed[-1] + 1):
            tell(done, f"simulate frame {frame}")
            begun_s = time.time()
            seen(simulation.advance_frame())
            if pool is not None:
                pool.collect()  # what is finished is written while others are made
            keeps = frame % STATE_INTERVAL_FRAMES == 0 or time.monotonic() - kept_at > STATE_INTERVAL_S
            state: HostState = {}
            if keeps or (pool is not None and frame in wanted):
                state, sha256 = simulation.crossed(whole=keeps)
            elif frame in wanted:
                sha256 = simulation.state_digest()
            if frame in wanted:
                states[frame], simulated_s = sha256, time.time()
                if place:
                    made[frame] = [Made.simulated(place, frame, begun_s, simulated_s)]
                if renderer is not None:
                    tell(done, f"trace frame {frame}")
                    between, laps = partial(_tell_share, tell, done, frame), Laps()
                    picture = make_picture(simulation, renderer, frame, job.samples, laps, between).picture
                    surface_s, trace_s = laps.read()
                    times = {"surface_s": surface_s, "trace_s": trace_s}
                    traced_s = time.time()
                    finish(
                        frame, picture, Made.rendered(place, frame, simulated_s, traced_s, **times) if place else None
                    )
                elif pool is not None:
                    pool.submit(frame, state)
            if keeps:
                folder.states.save(frame, state, sha256)
                kept_at = time.monotonic()
        if pool is not None:
            pool.finish()
    finally:
        if pool is not None:
            pool.stop()
    return len(needed)


def _tell_share(tell: Tell, done: int, frame: int, share: float) -> None:
    tell(done, f"trace frame {frame}, {share:.0%}")


def is_golden(entry: FrameEntry | None, golden: Mapping[str, str] | None) -> bool:
    """Whether a frame is finished, and what its entry says of it is what it has to be."""
    if entry is None:
        return False
    found = {"state": entry["state_sha256"], "picture": entry["picture_sha256"]}
    return all((golden or {}).get(what, sha256) == sha256 for what, sha256 in found.items())


def start_simulation(
    scene: Scene, kept: States, backend: Backend, makers: Makers, golden: Golden, before: int
) -> tuple[SimulationLike, int]:
    """A simulation at the newest kept state below a frame, or at the beginning; and the next frame's number."""
    states = kept.load(before)
    while (found := next(states, None)) is not None:
        frame, state, sha256 = found
        expected = (golden(frame) or {}).get("state", sha256)
        simulation: SimulationLike | None = _restored(makers.simulation(scene, backend), state)
        # The state has a number of its own: a file that has another one in its name would give another picture
        if simulation is not None and simulation.frame == frame and simulation.state_digest() == sha256 == expected:
            return simulation, frame + 1
        del found, state, simulation  # the next one needs as much memory, here and on the device
    return makers.simulation(scene, backend), 1


def _restored(simulation: SimulationLike, state: HostState) -> SimulationLike | None:
    """The simulation at a state; None where that is of another version, or was edited."""
    try:
        simulation.restore(state)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError):
        return None
    return simulation
