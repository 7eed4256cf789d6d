"""Kernels compiled ahead are those that a run calls: an example's types are the types of a real call."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from bench.backend.ahead import compile_ahead
from bench.backend.numba_cpu import NumbaBackend
from bench.base.progress import Silent
from bench.pipeline.frame import make_frame
from bench.pipeline.makers import COMPILED
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.base import registry
from kernels.base.kernel import Kernel
from kernels.base.registry import all_kernels


class TypeRecorder(NumbaBackend):
    """A back-end that keeps the Numba types of each kernel's arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.types: dict[str, set[tuple[Any, ...]]] = {}

    def launch(self, kernel: Kernel, *args: Any) -> None:
        self.types.setdefault(kernel.name, set()).add(tuple(numba.typeof(argument) for argument in args))
        super().launch(kernel, *args)


@pytest.mark.slow
def test_an_example_has_the_types_of_a_real_call() -> None:
    compile_ahead(Silent(), COMPILED)  # on all cores: with an empty cache all else would be done on one
    backend = TypeRecorder()
    for name in ("lava", "wave", "tornado"):
        scene = build_scene(load_shot(name), "S")
        simulation, renderer = Simulation(scene, backend), Renderer(scene, backend)
        simulation.advance_frame()
        make_frame(simulation, renderer, 2, samples=1)
    called = {name: kernel for name, kernel in all_kernels().items() if name in backend.types}
    assert len(called) >= 25
    for name, kernel in called.items():
        example = kernel.example(np.random.default_rng(0), 8)
        assert backend.types[name] == {tuple(numba.typeof(example[key]) for key in kernel.argument_names)}, name


def test_machine_code_of_another_checkout_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Numba would not take it, so a run in a second checkout has to compile ahead as well."""
    here = registry.cache_folder("img_resolve")
    other = tmp_path / "kernels"
    shutil.copytree(registry.HERE, other, ignore=shutil.ignore_patterns("__pycache__"))  # the same text and times
    monkeypatch.setattr(registry, "HERE", other)
    assert registry.cache_folder("img_resolve") != here
