"""What a scene has of its liquid: a viscosity that its grid can notice, or else a skin of what it slides along."""

from __future__ import annotations

import pytest

from bench.base.errors import UserError
from bench.pipeline.scene.build import FRICTION_FACTOR, Scene, build_scene
from bench.shot.load import Shot, load_shot, parse_shot
from kernels.base import constants as k
from tests.support.source_tree import ROOT

POOL = (ROOT / "tests" / "fixtures" / "pool.toml").read_text(encoding="utf-8")
# rho v dx / 1e4 with the pool's 1000 kg/m3, 5 m/s and cells of 4 m / 48
NOTICED_PA_S = 1000.0 * 5.0 * (4.0 / 48) / 1.0e4


def scene_with(line: str) -> Scene:
    text = POOL.replace('kind = "water"', f'kind = "water"\n{line}', 1)
    assert line in text
    return build_scene(Shot(path="pool.toml", file=parse_shot(text, "pool.toml")), "S")


@pytest.mark.parametrize("share, is_viscous", [(0.99, False), (1.01, True)])
def test_a_viscosity_that_the_grid_cannot_notice_is_left_out(share: float, is_viscous: bool) -> None:
    scene = scene_with(f"viscosity_pa_s = {share * NOTICED_PA_S}")
    viscosity, skin = scene.material[k.MATERIAL_VISCOSITY], scene.force[k.FORCE_SKIN_FRICTION]
    assert viscosity == pytest.approx(share * NOTICED_PA_S if is_viscous else 0.0)
    assert skin == pytest.approx(0.0 if is_viscous else FRICTION_FACTOR / 8.0)


@pytest.mark.parametrize("viscosity_pa_s", [1.0e-3, 100.0])
def test_friction_that_is_stated_counts_for_any_water(viscosity_pa_s: float) -> None:
    scene = scene_with(f"viscosity_pa_s = {viscosity_pa_s}\nfriction_factor = 0.08")
    assert scene.force[k.FORCE_SKIN_FRICTION] == pytest.approx(0.01)


def test_lava_has_no_skin() -> None:
    assert build_scene(load_shot("lava"), "S").force[k.FORCE_SKIN_FRICTION] == 0.0


def test_friction_without_bounds_is_refused() -> None:
    with pytest.raises(UserError, match=r"material\.friction_factor"):
        scene_with("friction_factor = -0.01")
