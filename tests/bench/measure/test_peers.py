"""The comparison with other programs: what is compared is the same, and what cannot run says so."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import CheckFailed, Unavailable
from bench.cli.main import main
from bench.measure.peers import compare as peers
from bench.measure.peers.protocol import Peer
from bench.measure.peers.taichi_mpm3d import BACKEND, SIZE_32, SIZE_128, at_128
from bench.pipeline.scene.needs import Steps, scene_steps
from kernels.base import constants as k

SHIPPED = f"import taichi as ti\n{BACKEND}\n{SIZE_32}{SIZE_128}\n"


def test_the_shipped_example_is_changed_in_two_places() -> None:
    text = at_128(SHIPPED, 2)
    assert "cpu_max_num_threads=2" in text and "\ndim, n_grid, steps, dt = 3, 128, 25, 8e-5" in text
    assert "= 3, 32," not in text and "arch=ti.gpu" not in text


@pytest.mark.parametrize("part", [BACKEND, SIZE_32, SIZE_128])
def test_another_example_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="has no"):
        at_128(SHIPPED.replace(part, ""), 2)


def test_our_cube_is_theirs() -> None:
    simulation = peers.falling_cube(1)
    scene = simulation.scene
    assert scene.initial_count == peers.PARTICLES == 128**3 // 4
    assert scene.cells == (128, 128, 128) and scene.cell_size_m == 1 / 128
    low, high = scene.position[:, :3].min(axis=0), scene.position[:, :3].max(axis=0)
    assert np.allclose(low, 0.15, atol=1e-3) and np.allclose(high, 0.55, atol=1e-3)
    bulk = float(scene.material[k.MATERIAL_BULK_MODULUS])
    assert math.sqrt(7 * bulk / float(scene.material[k.MATERIAL_DENSITY])) == pytest.approx(math.sqrt(400.0))
    # As many transfers as theirs in the same time, and pressure acts as often
    assert scene_steps(scene, scene.speed_limit_m_per_s) == Steps(peers.SUBSTEPS, 1)
    assert scene.frame_dt_s == peers.SUBSTEPS * peers.STEP_S


def test_rows_name_both_sides() -> None:
    rows = [
        peers.SimulationRow("taichi mpm3d", 1, (2.0, 2.0, 2.0)),
        peers.SimulationRow("shotmark", 1, (0.2, 0.1, 0.2)),
        peers.SimulationRow("taichi mpm3d", 2, (1.0,)),
        peers.SimulationRow("shotmark", 2, (0.1,)),
    ]
    made = peers.Simulations("1.7", tuple(rows)).document()["rows"]
    assert [row["peer_ratio"] for row in made] == [None, pytest.approx(10.0), None, pytest.approx(10.0)]
    assert [row["threads_ratio"] for row in made] == [1.0, 1.0, pytest.approx(2.0), pytest.approx(2.0)]
    assert made[0]["particle_substeps_per_s"] == peers.PARTICLES * peers.SUBSTEPS / 2.0


def test_mse_is_the_variance_between_pictures(rng: np.random.Generator) -> None:
    pictures = [1.0 + 0.1 * rng.standard_normal((64, 64, 1)).repeat(3, axis=2) for _ in range(8)]
    row = peers.trace_row("theirs", 1, [2.0] * 8, pictures)
    assert row.mse == pytest.approx(0.01, rel=0.05) and row.efficiency_per_s == pytest.approx(50.0, rel=0.05)
    assert abs(row.mean - 1.0) < 5 * row.mean_error and row.mean_error == pytest.approx(
        0.1 / math.sqrt(8 * 64 * 64), rel=0.05
    )
    ours = peers.trace_row("shotmark", 1, [1.0] * 8, pictures)
    assert peers.Traces("3.7", (), (row, ours)).document()["rows"][0]["peer_ratio"] == pytest.approx(2.0)
    peers.check_same_picture(row, ours)
    with pytest.raises(CheckFailed, match="same picture"):
        peers.check_same_picture(row, peers.trace_row("shotmark", 1, [1.0], [p + 0.05 for p in pictures]))


def test_cloud_is_cut_into_bricks_that_share_their_rims() -> None:
    extinction = peers.cloud_extinction()
    arguments = peers.cloud_arguments(extinction, 8)
    table = arguments["fog_table_in"].reshape((peers.CLOUD_BRICKS,) * 3)
    assert (table >= 0).any() and (table < 0).any()
    a, b, c = (int(v[0]) for v in np.nonzero(table >= 0))
    nodes = arguments["fog_value_in"][table[a, b, c], :, 0].reshape(9, 9, 9)
    assert np.array_equal(nodes, extinction[8 * a : 8 * a + 9, 8 * b : 8 * b + 9, 8 * c : 8 * c + 9])
    assert arguments["fog_majorant_in"].shape == (int((table >= 0).sum()),)


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.peers.compare.importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["peers"])
    assert result.exit_code == 3 and result.stderr.count("\n") == 1 and "shotmark[peers]" in result.stderr


def test_a_peer_that_fails_says_why() -> None:
    with pytest.raises(Unavailable, match="nothing"):
        Peer("nothing")


@pytest.mark.peers
@pytest.mark.slow
def test_mitsuba_makes_the_same_picture(tmp_path: Path) -> None:
    """Blocks of 4 x 4 pixels, z-test with Sidak's correction; the plume is lopsided, so a mirrored picture fails."""
    pytest.importorskip("mitsuba", reason="needs the extra peers")
    width, samples, rounds, block = 48, 64, 8, 4
    extinction = peers.cloud_extinction()
    arguments, backend = peers.cloud_arguments(extinction, width), NumbaBackend(None)
    cloud, picture = tmp_path / "cloud.npz", tmp_path / "picture.npy"
    np.savez(
        cloud,
        extinction=extinction,
        albedo=peers.ALBEDO,
        phase=peers.PHASE,
        half_width=peers.HALF_WIDTH,
        max_depth=peers.MAX_DEPTH,
    )
    theirs, ours = [], []
    with Peer("mitsuba_volpath", "scalar_rgb", backend.threads, width, samples, cloud) as peer:
        for seed in range(1, rounds + 1):
            peer.ask(f"{seed} {picture}")
            theirs.append(np.load(picture)[..., 0])
            ours.append(peers._trace(arguments, backend, seed, samples)[1][..., 0])

    def blocks(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        stack = np.stack(pictures).astype(np.float64).reshape(rounds, width // block, block, width // block, block)
        means = stack.mean(axis=(2, 4))
        # The variance of a pixel is pooled over its block: few pictures say little about one pixel alone
        return means.mean(axis=0), stack.var(axis=0, ddof=1).mean(axis=(1, 3)) / (rounds * block * block)

    (mean_a, variance_a), (mean_b, variance_b) = blocks(theirs), blocks(ours)
    z = np.abs(mean_a - mean_b) / np.sqrt(variance_a + variance_b + 1e-14)
    level = 1.0 - (1.0 - 0.01) ** (1.0 / z.size)
    assert z.max() < statistics.NormalDist().inv_cdf(1.0 - level / 2.0)
    mirrored = np.abs(mean_a[:, ::-1] - mean_b) / np.sqrt(variance_a + variance_b + 1e-14)
    assert mirrored.max() > 10.0
    upside_down = np.abs(mean_a[::-1] - mean_b) / np.sqrt(variance_a + variance_b + 1e-14)
    assert upside_down.max() > 10.0


@pytest.mark.peers
@pytest.mark.slow
def test_the_command_prints_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("taichi", reason="needs the extra peers")
    monkeypatch.setattr(peers, "SIMULATION_ROUNDS", 1)
    result = CliRunner().invoke(main, ["peers", "simulation", "--threads", "1", "--json"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert [row["name"] for row in made["simulation"]["rows"]] == ["taichi mpm3d", "shotmark"]
