"""What the parts of a certificate share: the machine, the budget, and what was found so far."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.backend.ahead import CompiledModule, Compiling
from bench.backend.protocol import Backend
from bench.base.errors import BudgetSpent
from bench.base.progress import Progress, Silent
from bench.check.certify.forecast import Forecast
from bench.pipeline.frame import FRAME_DEFAULT
from bench.record.certificate import CertificateDraft, Finding
from bench.shot.load import Shot, load_shot, shot_names
from bench.shot.sizes import SIZE_NAMES

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend
    from bench.measure.roofs import AnyRoofs

# What takes the time of a frame, the dearest first
HOT = (
    "mpm_p2g",
    "mpm_g2p",
    "mpm_push",
    "mpm_strain",
    "mpm_sort",
    "mpm_grid",
    "surf_field",
    "surf_distance",
    "img_trace",
)


@dataclass(frozen=True)
class Limits:
    """How large everything may be, and what is compiled with it; tests make it tiny."""

    twin_sizes: tuple[int, ...] = (17, 300, 2000)
    kernel_size: int | None = None  # of every kernel's example; None: a GPU's from a table, a CPU's grown beyond cache
    kernels: tuple[str, ...] = ()  # none: every one
    hot: tuple[str, ...] = HOT  # those that come first
    shots: tuple[str, ...] = ()  # none: all that ship
    sizes: tuple[str, ...] = SIZE_NAMES
    cpu_sizes: tuple[str, ...] = SIZE_NAMES[:1]  # where the CPU is measured beside a GPU; golden hashes prove the rest
    rounds: int = 5
    frame: int = FRAME_DEFAULT
    water_cells: tuple[int, int] = (40, 128)  # edge of the block of water on a CPU, on a GPU: 8 particles a cell
    water_rounds: int = 5
    energy_s: float = 4.0
    roofs: dict[str, Any] = dataclasses.field(default_factory=dict)  # arguments of measure_device_roofs
    modules: tuple[CompiledModule, ...] = ()  # compiled ahead beside the kernels


class Session:
    """One machine, one back-end, one budget."""

    def __init__(
        self,
        backend: Backend,
        cpu: Backend,
        certificate: CertificateDraft,
        results: Path,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.backend = backend
        self.cpu = cpu
        self.certificate = certificate
        self.results = results
        self.limits = limits or Limits()
        self.progress = progress or Silent()  # told of each shot, and how far a long step of it has come
        self.roofs: AnyRoofs | None = None  # once they are measured
        self.compiling: Compiling | None = None  # Numba's workers, while a GPU does what needs no Numba
        self.kernel_rows: list[dict[str, object]] = []  # of the record, a kernel each
        self.forecast = Forecast(self.limits.sizes[0])
        self.deadline = time.monotonic() + certificate.left_s  # of the part that is done now

    @property
    def on_gpu(self) -> bool:
        return self.backend.is_gpu

    @property
    def gpu(self) -> CupyBackend:
        """The back-end, where it is a GPU's."""
        assert self.on_gpu
        return cast("CupyBackend", self.backend)

    @property
    def left_s(self) -> float:
        """Seconds that the part has left."""
        return self.deadline - time.monotonic()

    @property
    def late(self) -> bool:
        return self.left_s <= 0.0

    def keep(self, name: str, found: Finding) -> None:
        """What a part has found so far: a stop in the middle of it loses the rest alone."""
        self.certificate.note(name, found)
        self.certificate.save()

    def await_compiled(self, *names: str) -> None:
        """Until Numba has these kernels, or with none named everything. Raises BudgetSpent."""
        if self.compiling is not None and not self.compiling.wait(names or None, self.left_s):
            raise BudgetSpent("compiling")

    def await_modules(self) -> None:
        """Until what builds scenes is compiled. Raises BudgetSpent."""
        if self.limits.modules:
            self.await_compiled(*(module.__name__ for module in self.limits.modules))

    def end_compiling(self) -> None:
        """Let go of Numba's workers, and note what they made beside the other parts."""
        if self.compiling is None:
            return
        made, part = self.compiling.end(), self.certificate.parts.get("compile")
        self.compiling = None
        if part is not None and isinstance(part.data, dict):
            data = {**part.data, "numba_compiled_count": made.kernel_count, "numba_wall_s": made.wall_s}
            self.certificate.note("compile", Finding(part.verdict, part.line, data))

    def shots(self) -> list[Shot]:
        return [load_shot(name) for name in self.limits.shots or shot_names()]
