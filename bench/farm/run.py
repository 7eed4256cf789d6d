"""A whole run: what is to be made, onto which site; from the folder's beginning to its manifest."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.base.errors import Unavailable, UserError
from bench.base.files import default_results, dump, make_folder, write_atomically
from bench.base.locks import acquire, lock_of
from bench.farm.dispatch.board import Board
from bench.farm.dispatch.dispatcher import Dispatcher, Run
from bench.farm.dispatch.shown import Shown
from bench.farm.dispatch.task import Words
from bench.farm.dispatch.times import Times
from bench.farm.dispatch.view import FARM, NOW, View
from bench.farm.engine.parsl_engine import ParslEngine, require_engine
from bench.farm.engine.protocol import Engine
from bench.farm.log import FarmLog
from bench.farm.site import Pool, Site
from bench.farm.stop import Stop
from bench.farm.worker import SHOT_COPY, TOKEN, perform
from bench.pipeline.folder.pictures import stills_of, write_movie
from bench.pipeline.folder.task_folder import TaskFolder
from bench.pipeline.frame import MOVIE
from bench.pipeline.shoot import RenderJob, is_golden
from bench.project.inputs.site_check import SiteCheck, check_path, load_check
from bench.shot.load import SHOTS, named_file, read_text

SITE_COPY, RUNINFO, PROJECTION = "site.toml", "runinfo", "projection.json"
NAMED_MOST = 3  # frames that failed, in the line that a run ends with
WALL_SHARE = 4  # no piece takes longer than a quarter of a wall time

Projection = Mapping[str, object]
# What a run will take on a site, before its first task: of the frames that are left to make, the site, what farm check
# found there, parts of every frame where their number is fixed, the last frame up to which states are there
Project = Callable[[RenderJob, Site, SiteCheck | None, int | None, int], Projection]


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    job: RenderJob
    header: Mapping[str, str | int]  # what the frames are of
    golden: Callable[[int], Mapping[str, str] | None]
    kinds: Sequence[str]  # formats
    folder: Path
    site: Site
    command: Sequence[str]  # as it was typed
    pieces: int | None = None  # parts of every frame, where somebody fixed their number


def here(site: Site) -> Site:
    """The site with what this machine has, where a pool is this machine and its file does not say."""
    from bench.backend.limits import usable_cores

    asks = any(
        pool.provider == "local" and pool.gpus_per_node is None and pool.backend != "numba" for pool in site.pools
    )
    gpus = 0
    if asks:
        from bench.backend.choose import cupy_state

        gpus = sum(one.fits for one in cupy_state().gpus)
    return site.here(gpus, usable_cores())


def foretell(job: RenderJob, site: Site, check: SiteCheck | None, pieces: int | None, simulated_to: int) -> Projection:
    """The model of ``bench.project`` on this site."""
    from bench.farm.forecast.of_site import project_on

    return project_on(job, site, check, pieces=pieces, simulated_to=simulated_to)


def run_farm(
    asked: Asked,
    shown: Shown,
    project: Project = foretell,
    start: Callable[[Site, Path, float], Engine] | None = None,
) -> int:
    """Make the frames that are not finished, on the site; returns how many were made.

    Raises UserError, Unavailable, OSError, CheckFailed and Stopped; what is finished is kept, whatever ends it.
    ``start`` begins an engine with a folder for its own files and about the longest task's seconds.
    """
    if start is None:
        require_engine(asked.site, asked.folder)
    opened = TaskFolder(asked.folder, asked.header)
    farm = asked.folder / FARM
    make_folder(farm / NOW)
    with _alone(farm), Stop() as stop:
        says = {suffix: still.says for suffix, still in stills_of(asked.kinds).items()}
        wanted = list(asked.job.frames)
        needed = [frame for frame in wanted if not is_golden(opened.finished_entry(frame, says), asked.golden(frame))]
        token = _begin(asked, farm)
        log = FarmLog(farm)
        projection = _project(asked, needed, opened, project, shown) if needed else None
        begun_s = log.write(
            "begin",
            site=asked.site.name,
            shot=asked.job.shot.name,
            size=asked.job.size,
            samples=asked.header["samples"],
            frames=wanted,
            formats=list(asked.kinds),
            workers_wanted=asked.site.workers,
            command=list(asked.command),
        )
        outcome = "failed"
        task_p90 = projection.get("task_p90_s") if projection is not None else None
        times = Times(task_p90 if isinstance(task_p90, Mapping) else None)
        board = Board(needed, times, _cutter(asked))
        try:
            stop.raise_if_stopped(_kept(asked))
            if needed:
                _dispatch(asked, board, times, token, begun_s, projection, log, shown, stop, start or _parsl)
            stop.raise_if_stopped(_kept(asked))
            _gather(asked, opened)
            outcome = "failed" if board.failed else "done"
        except KeyboardInterrupt:
            outcome = "stopped"
            raise
        finally:
            with contextlib.suppress(OSError):  # a full disk is said already
                log.write("end", outcome=outcome, frames=len(wanted) - len(board.left) - len(board.failed))
        if board.failed:
            raise Unavailable(_failures(asked, board.failed))
        return len(needed)


def _parsl(site: Site, folder: Path, longest_s: float) -> Engine:
    return ParslEngine(site, folder, perform, longest_s)


@contextlib.contextmanager
def _alone(farm: Path) -> Iterator[None]:
    """One run at a time has the folder; where the file system has no locks, whoever comes."""
    lock = lock_of(farm / ".lock")
    with contextlib.suppress(UserError):
        if not acquire(lock):
            raise Unavailable(f"{farm.parent}: another farm run works in this folder; wait until it has ended")
    try:
        yield
    finally:
        lock.release()


def _begin(asked: Asked, farm: Path) -> str:
    """Leave in the folder what workers read, and clear away what an earlier run left; returns this run's token."""
    for path in (farm / NOW).iterdir():
        with contextlib.suppress(OSError):
            path.unlink()
    shot = asked.job.shot.path
    write_atomically(farm / SHOT_COPY, read_text(named_file(shot, SHOTS), shot).encode())
    write_atomically(farm / SITE_COPY, asked.site.text.encode())
    token = secrets.token_hex(4)
    write_atomically(farm / TOKEN, token.encode())
    return token


def _project(
    asked: Asked, needed: Sequence[int], opened: TaskFolder, project: Project, shown: Shown
) -> Projection | None:
    """What the run will take, kept in the folder before its first task; a run goes on without."""
    path = check_path(default_results(), asked.site.name)
    check = load_check(path) if path.is_file() else None
    states = View(asked.folder).fluids()
    # States of frames that are wanted are made in their order: the first gap is where the simulation goes on
    there = list(itertools.takewhile(states.__contains__, needed))
    simulated_to = max([*there, *opened.states.frames()], default=0)
    try:
        projection = project(replace(asked.job, frames=needed), asked.site, check, asked.pieces, simulated_to)
    except (UserError, Unavailable) as error:
        shown.tell(f"nothing is known of how long it will take: {error}")
        return None
    write_atomically(asked.folder / FARM / PROJECTION, dump(projection))
    return projection


def _dispatch(
    asked: Asked,
    board: Board,
    times: Times,
    token: str,
    begun_s: float,
    projection: Projection | None,
    log: FarmLog,
    shown: Shown,
    stop: Stop,
    start: Callable[[Site, Path, float], Engine],
) -> None:
    """Have the frames made that are on the board."""
    run = Run(
        token=token,
        begun_s=begun_s,
        order={
            "token": token,
            "out": str(asked.folder.absolute()),
            "size": asked.job.size,
            "samples": asked.job.samples,
            "kinds": [kind for kind in asked.kinds if kind != MOVIE],
            "header": dict(asked.header),
        },
        pools=asked.site.pools,
        frames=len(asked.job.frames),
        pieces=asked.pieces,
        longest_s=_longest_s(asked.site.pools),
        projected_s=_number(projection, "makespan_s", "p50"),
    )
    longest_s = _number(projection, "task_p90_s", "render") or 0.0
    engine = start(asked.site, asked.folder / FARM / RUNINFO, longest_s)
    try:
        Dispatcher(run, engine, board, View(asked.folder), times, log, shown, stop).run()
    finally:
        engine.close()


def _number(projection: Projection | None, key: str, of: str) -> float | None:
    span = projection.get(key) if projection is not None else None
    value = span.get(of) if isinstance(span, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _longest_s(pools: Sequence[Pool]) -> float:
    return min((pool.wall_time_s / WALL_SHARE for pool in pools if pool.wall_time_s is not None), default=float("inf"))


def _cutter(asked: Asked) -> Callable[[int], list[Words]]:
    """Parts of this job's pictures: tiles of whole strips, each with all samples."""
    from bench.pipeline.parts import split

    size = asked.job.shot.size(asked.job.size)
    samples = asked.job.samples or size.samples
    return lambda count: [part.words for part in split(size.width, size.height, samples, count)]


def _gather(asked: Asked, opened: TaskFolder) -> None:
    """Finished frames into the manifest, and the movie where it is asked for and no frame is missing."""
    from bench.backend.numba_cpu import NumbaBackend
    from bench.farm.place import place_of
    from bench.pipeline.makers import MAKERS
    from bench.pipeline.tasks.maker import TaskMaker

    backend = NumbaBackend(1)
    kinds = [kind for kind in asked.kinds if kind != MOVIE]
    maker = TaskMaker(asked.job, opened, backend, MAKERS, place_of(backend), asked.golden)
    maker.gather(asked.job.frames, kinds)
    if MOVIE in asked.kinds and all(str(frame) in opened.frames for frame in asked.job.frames):
        write_movie(opened, asked.job.movie, asked.job.frames, asked.job.shot.file.shot.frame_rate)


def _kept(asked: Asked) -> str:
    return f"{asked.folder} keeps what was finished: the same command goes on"


def _failures(asked: Asked, failed: Mapping[int, str]) -> str:
    """One line on the frames that could not be made."""
    some = "; ".join(f"frame {frame}: {why}" for frame, why in sorted(failed.items())[:NAMED_MOST])
    more = f" and {len(failed) - NAMED_MOST} more" if len(failed) > NAMED_MOST else ""
    return f"{len(failed)} of {len(asked.job.frames)} frames were not made: {some}{more}; {_kept(asked)}"
