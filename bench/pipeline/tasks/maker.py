"""The tasks of a shot: states only, frames from states, parts of a frame, and what puts them together.

Each can be killed at any moment and started again, on any machine that sees the folder, twice at once too: what is
there is not made again, what somebody else makes is waited for, and what was made by a CPU and by GPUs has the same
bits. A ``TaskMaker`` keeps what it has built, scene and renderer, from task to task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.backend.protocol import Backend
from bench.base.aside import InTurn
from bench.base.errors import CheckFailed, Unavailable
from bench.base.progress import told_when_slow
from bench.pipeline.folder.made import ASSEMBLED, PART, RENDERED, Laps, Made, MadeDocument, Place
from bench.pipeline.folder.pictures import Still, stills_of
from bench.pipeline.folder.task_folder import FluidFile, TaskFolder
from bench.pipeline.frame import (
    Bricks,
    FrameWork,
    Makers,
    Picture,
    RendererLike,
    make_bricks,
    make_picture,
    proved_digest,
    require_hashes,
)
from bench.pipeline.parts import Part, assembled, records
from bench.pipeline.scene.build import Scene
from bench.pipeline.shoot import Golden, RenderJob, is_golden, start_simulation
from bench.pipeline.state import PictureState

GATHER = "gather"  # name of the claim of whoever writes the manifest
KEEP_MOST_S = 60.0  # a whole state is kept at least so often
KEEP_SHARE = 0.1  # of the simulation's time, at most, goes into keeping them


class TaskMaker:
    """Does tasks of one job on one back-end."""

    def __init__(
        self,
        job: RenderJob,
        folder: TaskFolder,
        backend: Backend,
        makers: Makers,
        place: Place,
        golden: Golden = lambda frame: None,
        tell: Callable[[str], None] = lambda text: None,
        within: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``tell`` hears what is begun, ``within`` how far a long step has come."""
        self.job, self.folder, self.backend, self.makers, self.place = job, folder, backend, makers, place
        self._golden, self._tell, self._within = golden, tell, within
        self.simulated: list[FrameWork] = []  # what the simulation of each frame did
        self._room = 0  # particles that there is room for in what was built
        self._scene: Scene | None = None
        self._state: PictureState | None = None
        self._renderer: RendererLike | None = None
        self._held: tuple[FluidFile, Bricks] | None = None  # of the frame whose parts were traced last

    # --- states ------------------------------------------------------------------------------
    def simulate(self, frames: Sequence[int], kinds: Sequence[str]) -> list[Made]:
        """Simulate as far as the last frame that is neither finished in these formats nor ready to be rendered.

        Goes on from the newest kept state. Returns what was made, a piece a frame; nothing where all are there.
        """
        claim = self.folder.claims.take("simulate", lambda: not self._to_simulate(frames, kinds), self._within)
        if claim is None:
            return []
        with claim:
            return self._simulate(self._to_simulate(frames, kinds))

    def _to_simulate(self, frames: Sequence[int], kinds: Sequence[str]) -> list[int]:
        return [frame for frame in frames if not (self._done(frame, kinds) or self.folder.has_fluid(frame))]

    def _simulate(self, needed: Sequence[int]) -> list[Made]:
        if not needed:
            return []
        folder, job, begun_s = self.folder, self.job, time.time()
        self._tell("scene")
        self._let_go()
        told = told_when_slow("scene", self._within)
        scene = self.makers.build_scene(job.shot, job.size, threads=self.backend.threads, tell=told)
        simulation, first = start_simulation(scene, folder.states, self.backend, self.makers, self._golden, needed[0])
        wanted, found = set(needed), list[Made]()
        start_s, kept_at, keeping_s = time.time() - begun_s, time.monotonic(), 0.0
        # Written while the next frame is simulated: on a GPU a state takes as long to write as to make
        with InTurn() as writer:
            for frame in range(first, needed[-1] + 1):
                self._tell(f"simulate {frame}")
                before_s = time.time()
                self.simulated.append(simulation.advance_frame())
                keeps = time.monotonic() - kept_at >= min(KEEP_MOST_S, keeping_s / KEEP_SHARE)
                if not keeps and frame not in wanted:
                    continue
                state, sha256 = simulation.crossed(whole=keeps)
                require_hashes({"state": sha256}, self._golden(frame), where=f"frame {frame}: ")
                done_s = time.time()
                times = {"start_s": start_s, "simulate_s": done_s - before_s}
                made = Made.simulated(self.place, frame, begun_s, done_s, **times)
                if frame in wanted:
                    arrays = {name: state[name] for name in PictureState.names(scene)}
                    writer.do(partial(folder.save_fluid, frame, arrays, scene.particle_capacity, sha256, made))
                    found.append(made)
                    del arrays
                if keeps:
                    keep_s = time.monotonic()
                    writer.do(partial(folder.states.save, frame, state, sha256))
                    writer.wait()  # two whole states would be too much for some memory
                    kept_at = time.monotonic()
                    keeping_s = kept_at - keep_s
                del state
                begun_s, start_s = time.time(), 0.0
        return found

    # --- pictures ----------------------------------------------------------------------------
    def render(self, frame: int, kinds: Sequence[str]) -> Made | None:
        """Render a frame whose state is there; None where it is finished.

        Raises Unavailable where the state is not there, CheckFailed where the frame has other bits than the golden one.
        """
        name = f"render {frame}"
        claim = self.folder.claims.take(f"frame-{frame:06d}", lambda: self._done(frame, kinds), self._within)
        if claim is None:
            return None
        with claim:
            self._tell(name)
            begun_s = time.time()
            fluid, start_s, load_s = self._load(frame)
            laps = Laps()
            assert self._state is not None and self._renderer is not None
            between = partial(self._share, name)
            rendering = make_picture(self._state, self._renderer, frame, self.job.samples, laps, between)
            surface_s, trace_s = laps.read()
            self._require_whole(frame, fluid)
            made = self._piece(name, RENDERED, frame, None, begun_s, fluid)
            told = partial(made, start_s=start_s, load_s=load_s, surface_s=surface_s, trace_s=trace_s)
            return self._finish(frame, fluid.sha256, rendering.picture, kinds, fluid.made, told)

    def part(self, frame: int, part: Part) -> Made | None:
        """Trace a part of a frame whose state is there, as sums; None where it is there, or the frame is finished.

        Raises Unavailable where the state is not there.
        """
        folder, name = self.folder, f"render {frame} {part}"

        def there() -> bool:
            return folder.has_sums(frame, part) or self._done(frame, ())

        claim = folder.claims.take(f"sums-{frame:06d}-{part}", there, self._within)
        if claim is None:
            return None
        with claim:
            self._tell(name)
            begun_s = time.time()
            fluid, bricks, start_s, load_s, surface_s = self._bricks(frame)
            assert self._renderer is not None
            clock, samples = time.perf_counter(), self._samples
            sums = self._renderer.trace_part(bricks, frame, part, samples, partial(self._share, name))
            trace_s = time.perf_counter() - clock
            self._require_whole(frame, fluid)
            made = self._piece(name, PART, frame, part, begun_s, fluid)(
                start_s=start_s, load_s=load_s, surface_s=surface_s, trace_s=trace_s
            )
            before = time.perf_counter()
            folder.save_sums(frame, part, sums, fluid.sha256, [*fluid.made, made.document()])
            return made.ending(time.time(), time.perf_counter() - before)

    # --- put together ------------------------------------------------------------------------
    def assemble(self, frames: Sequence[int], kinds: Sequence[str]) -> list[Made]:
        """Turn sums into frames and write the manifest; returns the frames that were made of sums.

        Raises Unavailable where a frame is not finished and cannot be put together: which, and what it lacks.
        """
        found, missing = list[Made](), list[tuple[int, str]]()
        for frame in frames:
            there = partial(self._done, frame, kinds)
            claim = self.folder.claims.take(f"frame-{frame:06d}", there, self._within)
            if claim is None:
                continue
            with claim:
                try:
                    found.append(self._assemble(frame, kinds))
                except LookupError as error:
                    missing.append((frame, str(error.args[0])))
        self.gather(frames, kinds)
        if missing:
            frame, lack = missing[0]
            more = f"; of {len(missing) - 1} more frames too" if len(missing) > 1 else ""
            raise Unavailable(
                f"{self.folder.folder}: frame {frame} lacks {lack}{more}; --from-states renders what is missing"
            )
        return found

    def gather(self, frames: Sequence[int], kinds: Sequence[str]) -> None:
        """Put finished frames into the manifest, and let go of what they were made from.

        One at a time: what sweeps away a killed task's beginnings would take another's manifest before it has its name.
        """
        stills = self._says(kinds)
        claim = self.folder.claims.take(GATHER, lambda: False, self._within)
        assert claim is not None  # only what is there already is not claimed
        with claim:
            self.folder.gather(lambda frame: self.folder.finished_entry(frame, stills) or self.folder.task_entry(frame))
            self.folder.clear([frame for frame in frames if self._done(frame, kinds)], GATHER)

    def _assemble(self, frame: int, kinds: Sequence[str]) -> Made:
        from bench.pipeline.render import resolved_on

        begun_s, name = time.time(), f"assemble {frame}"
        picture, samples = self.job.shot.size(self.job.size), self._samples
        sums, states, made = {}, set(), dict[str, MadeDocument]()
        for one in self.folder.sums(frame):
            part = one.part
            shape = (len(records(part, samples)), part.y_high - part.y_low, part.x_high - part.x_low)
            if part.within(picture.width, picture.height, samples) and one.sums.shape[:3] == shape:
                sums[part] = one.sums
                states.add(one.sha256)
                made |= {str(piece.get("task")): piece for piece in one.made}
        if not sums:
            raise LookupError("every part")
        if len(states) > 1:
            raise CheckFailed(f"{self.folder.folder}: the parts of frame {frame} are of {len(states)} different states")
        load_s = time.time() - begun_s
        whole = assembled(picture.width, picture.height, samples, sums)
        self._prepare(1)
        resolved = resolved_on(self.backend, whole, samples)
        told = partial(self._made, name, ASSEMBLED, frame, None, begun_s, None, load_s=load_s)
        return self._finish(frame, states.pop(), resolved, kinds, list(made.values()), told)

    # --- what they have in common ------------------------------------------------------------
    @property
    def _samples(self) -> int:
        """Per pixel of the whole picture."""
        return self.job.samples or self.job.shot.size(self.job.size).samples

    def _says(self, kinds: Sequence[str]) -> dict[str, Callable[..., Mapping[str, object]]]:
        return {suffix: still.says for suffix, still in stills_of(kinds).items()}

    def _done(self, frame: int, kinds: Sequence[str]) -> bool:
        return is_golden(self.folder.finished_entry(frame, self._says(kinds)), self._golden(frame))

    def _share(self, name: str, share: float) -> None:
        self._within(f"{name}, {share:.0%}")

    def _load(self, frame: int) -> tuple[FluidFile, float, float]:
        """What a frame is made from, put where the renderer finds it; seconds of building, and of loading."""
        clock, self._held = time.perf_counter(), None
        fluid = self.folder.fluid(frame)
        if fluid is None:
            raise Unavailable(self._no_state(frame))
        if fluid.room != self._room:  # before so much is allocated
            self._require_whole(frame, fluid)
        loaded = time.perf_counter()
        start_s = self._prepare(fluid.room)
        assert self._state is not None
        put = time.perf_counter()
        try:
            self._state.put(fluid.arrays)
        except (LookupError, ValueError) as error:
            raise Unavailable(f"{self.folder.fluid_path(frame)}: {error}; delete it, --states-only makes it") from None
        self.backend.synchronize()
        return fluid, start_s, loaded - clock + time.perf_counter() - put

    def _require_whole(self, frame: int, fluid: FluidFile) -> None:
        """Raise Unavailable where what was rendered from has other bits than were written; it is gone then."""
        if not fluid.whole():
            self._held = None
            self.folder.drop_fluid(frame)
            raise Unavailable(f"{self._no_state(frame)}: the one that was there is damaged")

    def _no_state(self, frame: int) -> str:
        return f"{self.folder.folder}: frame {frame} has no state to be rendered from; render --states-only makes it"

    def _bricks(self, frame: int) -> tuple[FluidFile, Bricks, float, float, float]:
        """What a frame is made from, and what its parts are traced from; seconds of building, loading and surface.

        The second part of a frame finds both where the first has left them.
        """
        if self._held is not None and self._held[0].same_file(self.folder.fluid_path(frame)):
            return *self._held, 0.0, 0.0, 0.0
        fluid, start_s, load_s = self._load(frame)
        assert self._state is not None and self._renderer is not None
        clock = time.perf_counter()
        bricks = make_bricks(self._state, self._renderer)
        self.backend.synchronize()
        self._held = replace(fluid, arrays={}), bricks
        return fluid, bricks, start_s, load_s, time.perf_counter() - clock

    def _prepare(self, room: int) -> float:
        """Scene, renderer and a state with room for so many particles, built where they are not there; seconds."""
        begun = time.perf_counter()
        if self._scene is None or room > self._room:
            self._let_go()
            job, backend = self.job, self.backend
            self._scene = self.makers.build_scene(job.shot, job.size, threads=backend.threads, room=room)
            self._room = room
        if room > 1 and self._renderer is None:
            self._state = PictureState(self._scene, self.backend)
            self._renderer = self.makers.renderer(self._scene, self.backend)
        return time.perf_counter() - begun

    def _let_go(self) -> None:
        """A simulation needs the memory, or another renderer does."""
        self._scene = self._state = self._renderer = self._held = None
        self._room = 0
        self.backend.release()

    def _piece(
        self, task: str, kind: str, frame: int, part: Part | None, begun_s: float, fluid: FluidFile
    ) -> Callable[..., Made]:
        return partial(self._made, task, kind, frame, part, begun_s, max(0.0, begun_s - fluid.since_s))

    def _made(
        self, task: str, kind: str, frame: int, part: Part | None, begun_s: float, wait_s: float | None, **more: float
    ) -> Made:
        words = part.words if part is not None else None
        return Made.at(self.place, task, kind, frame, begun_s, time.time(), part=words, wait_s=wait_s, **more)

    def _finish(
        self,
        frame: int,
        state_sha256: str,
        picture: Picture,
        kinds: Sequence[str],
        before: Sequence[MadeDocument],
        told: Callable[..., Made],
    ) -> Made:
        """Prove a picture and write its files and its entry, with the pieces of work that it took."""
        found = {"state": state_sha256, "picture": proved_digest(picture, frame)}
        require_hashes(found, self._golden(frame), where=f"frame {frame}: ")
        assert self._scene is not None
        stills: Mapping[str, Still] = stills_of(kinds)
        write = {suffix: partial(still.write, picture, self._scene, frame) for suffix, still in stills.items()}
        begun, last = time.perf_counter(), list[Made]()

        def made() -> list[MadeDocument]:
            last.append(told(write_s=time.perf_counter() - begun))
            return [*before, last[0].document()]

        self.folder.add(frame, state_sha256, found["picture"], write, made)
        return last[0]
