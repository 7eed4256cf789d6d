"""A shot that costs nothing: fakes of scene, simulation and renderer that note their calls; a test chooses the bits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from bench.measure.meter import ShotCase
from bench.pipeline.frame import Makers
from kernels.base.kernel import Kernel


def kernel(name: str) -> Kernel:
    return Kernel(name=name, item="thing", cpu=lambda: None, traffic=lambda: None, example=lambda rng, size: {})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Workshop:
    """Makers of fakes that write into one log."""

    log: list[str] = field(default_factory=list)
    state_of: Any = None  # (frame, call number) -> text whose hash is the state's
    compares: bool = False  # whether a device keeps states to compare with
    proofs: list[str] = field(default_factory=list)  # how states were proved
    radiance: float = 1.0  # green, of two pixels of every picture
    fail_at: int | None = None  # advance_frame call that raises `failure`
    failure: BaseException | None = None
    frames_advanced: int = 0

    def makers(self) -> Makers:
        return Makers(
            build_scene=self._scene,
            simulation=lambda scene, backend: FakeSimulation(self, backend),
            renderer=lambda scene, backend: FakeRenderer(self, backend),
            write_picture=self._write,
        )

    def _scene(self, shot: Any, size: str, **how: Any) -> Any:
        self.log.append("scene")
        return SimpleNamespace(shot_name="fake", size=size)

    def _write(self, picture: Any, scene: Any, frame: int, stem: Path) -> None:
        self.log.append("encode")


class FakeSimulation:
    def __init__(self, workshop: Workshop, backend: Any) -> None:
        self.workshop, self.backend, self.frame = workshop, backend, 0

    def advance_frame(self) -> Any:
        shop = self.workshop
        shop.frames_advanced += 1
        if shop.fail_at == shop.frames_advanced and shop.failure is not None:
            raise shop.failure
        self.frame += 1
        shop.log.append(f"simulate {self.frame}")
        self.backend.launch(kernel("mpm_p2g"))
        self.backend.launch(kernel("mpm_g2p"))
        return SimpleNamespace(
            frame=self.frame, substeps=5, particle_count=100, particle_substeps=500, active_blocks=7, effect_count=0,
            sound_steps=25, particle_sound_steps=2500, speed_m_per_s=1.0, speed_limit_m_per_s=2.0,
            volume_ratios=(0.99, 1.0),
        )  # fmt: skip

    @property
    def fluid(self) -> FakeSimulation:
        return self

    def keep(self, to_compare: bool = False) -> int:
        self.workshop.log.append("keep to compare" if to_compare else "keep")
        return self.frame

    def restore(self, saved: int) -> None:
        self.workshop.log.append("restore")
        self.frame = saved

    def same_as(self, kept: int) -> bool:
        """As a digest would tell; a shop that does not compare has no memory for that."""
        shop = self.workshop
        if not shop.compares:
            return False
        shop.proofs.append("compare")
        return digest(shop.state_of(self.frame, shop.frames_advanced) if shop.state_of else f"state {self.frame}") == (
            digest(f"state {kept}")
        )

    def state_digest(self) -> str:
        self.workshop.proofs.append("hash")
        shop = self.workshop
        return digest(shop.state_of(self.frame, shop.frames_advanced) if shop.state_of else f"state {self.frame}")


class FakeRenderer:
    def __init__(self, workshop: Workshop, backend: Any) -> None:
        self.workshop, self.backend = workshop, backend

    def surface(self, fluid: FakeSimulation) -> None:
        self.workshop.log.append("surface")
        self.backend.launch(kernel("surf_level"))

    def trace(self, bricks: Any, frame: int, samples: int | None = None, between: Any = None) -> int:
        self.workshop.log.append("trace")
        self.backend.launch(kernel("img_trace"))
        if between is not None:
            self.workshop.log.append("between")
            between(0.5)
        return frame

    def resolve(self, sums: int) -> int:
        self.workshop.log.append("resolve")
        self.backend.launch(kernel("img_resolve"))
        return sums

    def fetch(self, resolved: int) -> Any:
        rgb, variance = np.zeros((2, 4, 8, 3), np.float32)
        rgb[1, 2:4, 1] = self.workshop.radiance
        return SimpleNamespace(rgb=rgb, variance=variance, digest=digest(f"picture {resolved}"), samples=16)

    def work(self, rendering: Any) -> dict[str, int]:
        return {"surface_bricks": 3}


def case(
    name: str = "fake",
    frame: int = 2,
    rounds: int | None = 6,
    expected: Any = None,
    earlier: Any = MappingProxyType({}),
) -> ShotCase:
    options: dict[str, Any] = {"rounds": rounds, "expected": expected, "earlier": earlier}
    return ShotCase(shot=None, shot_name=name, size="S", frame=frame, **options)
