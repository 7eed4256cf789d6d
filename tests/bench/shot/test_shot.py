"""Shot files: what is read, and how what cannot be used is refused."""

from __future__ import annotations

import copy
import os
import random
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.base.errors import UserError
from bench.check.golden import definition_sha256
from bench.shot.extent import BRICK_VOXELS
from bench.shot.load import FILE_BYTES_MAX, Shot, load_shot, parse_shot, shot_names
from bench.shot.schema import GRID_BLOCK_MAX, Lava, Water
from bench.shot.shapes import BreakingWave
from bench.shot.sizes import SIZE_NAMES
from kernels.base.constants import BLOCK_NODES, BRICK_EDGE
from tests.support.source_tree import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
POOL = FIXTURES / "pool.toml"
PICTURES = {"S": (320, 134, 16), "M": (960, 402, 64), "L": (1920, 804, 256), "XL": (4096, 1716, 512)}


def toml(value: Any) -> str:
    """A value as TOML text; tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return str(value)


def file_text(tree: dict[str, Any]) -> str:
    return "\n".join(f"{toml(key)} = {toml(value)}" for key, value in tree.items())


def pool() -> dict[str, Any]:
    return tomllib.loads(POOL.read_text(encoding="utf-8"))


DELETE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The pool's tree with the value at a dotted path replaced, added or deleted."""
    tree = pool()
    at: Any = tree
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    key: Any = int(last) if isinstance(at, list) else last
    if value is DELETE:
        del at[key]
    elif isinstance(at, list) and key == len(at):
        at.append(value)
    else:
        at[key] = value
    return tree


NAN, INF = float("nan"), float("inf")
# path of the change, new value, key that the message names, part of what it says was expected
MALFORMED: list[tuple[str, Any, str, str]] = [
    ("schema", DELETE, "schema", "required"),
    ("schema", 2, "schema", "a whole number from 1 to 1"),
    ("schema", "1", "schema", "a whole number"),
    ("schema", True, "schema", "a whole number"),
    ("shot", DELETE, "shot", "required"),
    ("shot", 3, "shot", "a table"),
    ("shot.name", DELETE, "shot.name", "required"),
    ("shot.name", "", "shot.name", "a-z"),
    ("shot.name", "../../etc/passwd", "shot.name", "a-z"),
    ("shot.name", "/etc/passwd", "shot.name", "a-z"),
    ("shot.name", "a\\b", "shot.name", "a-z"),
    ("shot.name", "..", "shot.name", "a-z"),
    ("shot.name", "con\x00", "shot.name", "a-z"),
    ("shot.name", "pool\nname", "shot.name", "a-z"),
    ("shot.name", "a" * 41, "shot.name", "1 to 40"),
    ("shot.name", "Pool", "shot.name", "a-z"),
    ("shot.name", 7, "shot.name", "a-z"),
    ("shot.title", "<script>alert(1)</script>", "shot.title", "without <"),
    ("shot.title", "two\nlines", "shot.title", "printable"),
    ("shot.title", "x" * 500, "shot.title", "1 to 120"),
    ("shot.frames", 0, "shot.frames", "from 1 to"),
    ("shot.frames", -60, "shot.frames", "from 1 to"),
    ("shot.frames", 2.5, "shot.frames", "a whole number"),
    ("shot.frames", 10**18, "shot.frames", "a whole number from 1 to 100000"),
    ("shot.frames", 10**400, "shot.frames", "a whole number from 1 to 100000"),
    ("shot.frame_rate", 0.0, "shot.frame_rate", "from 1 to 1000 1/s"),
    ("shot.frame_rate", NAN, "shot.frame_rate", "a number"),
    ("shot.start_s", -1.0, "shot.start_s", "from 0"),
    ("shot.fames", 3, "shot.fames", "one of name, title"),
    ("domain", DELETE, "domain", "required"),
    ("domain.size_m", DELETE, "domain.size_m", "required"),
    ("domain.size_m", [4.0, 2.0], "domain.size_m", "a list of 3 numbers"),
    ("domain.size_m", [4.0, -2.0, 2.0], "domain.size_m[1]", "from 0.001"),
    ("domain.size_m", [4.0, 0.0, 2.0], "domain.size_m[1]", "from 0.001"),
    ("domain.size_m", [4.0, NAN, 2.0], "domain.size_m[1]", "a number"),
    ("domain.size_m", [INF, 2.0, 2.0], "domain.size_m[0]", "a number"),
    ("domain.size_m", [4.0, 2.0, 1e300], "domain.size_m[2]", "from 0.001 to 10000"),
    ("domain.size_m", 4.0, "domain.size_m", "a list"),
    ("domain.size_m", ["4", 2.0, 2.0], "domain.size_m[0]", "a number"),
    ("domain.size_m", [4.0, 2.0, 0.01], "size.S.cells_x", "cells on every axis"),
    ("domain.walls", {"x_min": "sticky"}, "domain.walls.x_min", '"stick", "slip", "separate"'),
    ("domain.walls", {"w_min": "slip"}, "domain.walls.w_min", "one of x_min"),
    ("domain.walls", [], "domain.walls", "a table"),
    ("size", DELETE, "size", "required"),
    ("size", {}, "size", "tables under S, M, L, XL"),
    ("size.XXL", {"cells_x": 8}, "size.XXL", "tables under S, M, L, XL"),
    ("size.S.cells_x", DELETE, "size.S.cells_x", "required"),
    ("size.S.cells_x", -48, "size.S.cells_x", "a multiple of 4"),
    ("size.S.cells_x", 0, "size.S.cells_x", "from 8"),
    ("size.S.cells_x", 50, "size.S.cells_x", "a multiple of 4"),
    ("size.S.cells_x", 10**18, "size.S.cells_x", "a whole number from 8 to 16384"),
    ("size.S.cells_x", 16384, "size.S.cells_x", "at most"),
    ("size.S.cells_x", 5600, "size.S.cells_x", "at most 33554432 blocks of 4^3 cells"),
    ("effects.ember_per_s", 0.1, "effects.ember_per_s", "0 with water: embers come from lava"),
    ("size.S.cells_x", 2048, "size.S.cells_x", "at most 33554432 blocks of 4^3 cells"),
    ("size.S.width", 0, "size.S.width", "from 2"),
    ("size.S.width", 1e3, "size.S.width", "a whole number"),
    ("size.S.height", -40, "size.S.height", "from 2"),
    ("size.S.samples", 0, "size.S.samples", "from 1"),
    ("size.S.samples", 10**12, "size.S.samples", "from 1 to"),
    ("size.S.voxel_per_cell", 0.0, "size.S.voxel_per_cell", "from 0.1"),
    ("size.S.max_depth", 100_000, "size.S.max_depth", "from 1 to 1024"),
    ("size.S", "large", "size.S", "a table"),
    ("material", DELETE, "material", "required"),
    ("material.kind", DELETE, "material.kind", '"water", "lava"'),
    ("material.kind", "mercury", "material.kind", '"water", "lava"'),
    ("material.kind", 1, "material.kind", '"water", "lava"'),
    ("material.kind", ["water"], "material.kind", '"water", "lava"'),
    ("material.speed_limit_m_per_s", DELETE, "material.speed_limit_m_per_s", "required"),
    ("material.speed_limit_m_per_s", 0.0, "material.speed_limit_m_per_s", "from 0.001"),
    ("material.sound_speed_m_per_s", INF, "material.sound_speed_m_per_s", "a number"),
    ("material.density_kg_per_m3", -1000.0, "material.density_kg_per_m3", "from 1 to"),
    ("material.emissivity", 0.95, "material.emissivity", "one of density_kg_per_m3"),
    ("body", {"kind": "box"}, "body", "a list"),
    ("body.0.kind", "teapot", "body[0].kind", '"box", "sphere"'),
    ("body.0.kind", DELETE, "body[0].kind", '"box", "sphere"'),
    ("body.0.min_m", DELETE, "body[0].min_m", "required"),
    ("body.0.min_m", [2.0, 0.0, 0.0], "body[0].max_m", "more than min_m"),
    ("body.0.hydrostatic", 1, "body[0].hydrostatic", "true or false"),
    ("body.0.radius_m", 1.0, "body[0].radius_m", "one of velocity"),
    ("body.1.radius_m", -0.3, "body[1].radius_m", "from 0.001"),
    ("body.1.radius_m", NAN, "body[1].radius_m", "a number"),
    ("body.1.centre_m", [1e18, 0.0, 0.0], "body[1].centre_m[0]", "from -100000 to 100000"),
    ("body.1.velocity.kind", "warp", "body[1].velocity.kind", '"constant", "rotation"'),
    ("body.1.velocity.axis_rad_per_s", [0.0, 0.0], "body[1].velocity.axis_rad_per_s", "a list of 3"),
    ("body.1.velocity", "fast", "body[1].velocity", "a table"),
    ("body.1.temperature", {"kind": "constant", "temperature_k": -1.0}, "body[1].temperature.temperature_k", "from 0"),
    ("body.2.inner_radius_m", 0.5, "body[2].inner_radius_m", "less than radius_m"),
    ("body.2.to_m", [3.2, 1.4, 1.0], "body[2].to_m", "away from from_m"),
    ("body.3", {"kind": "column", "centre_m": [2.0, 1.0], "swirl_m_per_s": 1.0, "core_m": 0.3,
                "profile_m": [[0, 0, 1]]}, "body[3].profile_m", "points of 3 numbers"),
    ("body.3", {"kind": "column", "centre_m": [2.0, 1.0], "swirl_m_per_s": 1.0, "core_m": 0.3,
                "profile_m": [[0, 0.5, 0.3], [1, 0.1, 0.3]]}, "body[3].profile_m[0]", "inner radius < outer radius"),
    ("emitter.0.radius_m", 0.0, "emitter[0].radius_m", "from 0.0001"),
    ("emitter.0.direction", [0.0, 0.0, 0.0], "emitter[0].direction", "not zero"),
    ("emitter.0.end_s", 0.1, "emitter[0].end_s", "at least start_s"),
    ("emitter", [3], "emitter[0]", "a table"),
    ("collider.0.kind", "torus", "collider[0].kind", '"sphere", "box"'),
    ("collider.0.radius_m", -1, "collider[0].radius_m", "from 0.001"),
    ("collider.1.max_m", [0.0, 0.0, 0.0], "collider[1].max_m", "more than min_m"),
    ("terrain.size_m", [0.0, 1.0], "terrain.size_m[0]", "from 0.01"),
    ("terrain.spacing_per_cell", 0.0, "terrain.spacing_per_cell", "from 0.1"),
    ("terrain.size_m", [99999.0, 99999.0], "terrain.spacing_per_cell", "at most 268435456 heights"),
    ("terrain.layer.0.kind", "volcano", "terrain.layer[0].kind", '"plane", "ramp"'),
    ("terrain.layer.1.rise_m", 0.0, "terrain.layer[1].rise_m", "from 0.01"),
    ("terrain.layer.2", {"kind": "noise", "amplitude_m": 1.0, "wavelength_m": 1.0, "octaves": 99},
     "terrain.layer[2].octaves", "from 1 to 16"),
    ("force", {"gravity_m_per_s2": [0.0, 0.0]}, "force.gravity_m_per_s2", "a list of 3"),
    ("force", {"vortex": {}}, "force.vortex.centre_m", "required"),
    ("effects.radius_m", [0.006, 0.002], "effects.radius_m", "the smaller number first"),
    ("effects.capacity_per_particle", 1e18, "effects.capacity_per_particle", "from 0 to 16"),
    ("camera.key", [], "camera.key", "a list of 1 to"),
    ("camera", DELETE, "camera", "required"),
    ("camera.between", "wobbly", "camera.between", '"linear", "smooth"'),
    ("camera.key.1.frame", 1, "camera.key[1].frame", "more than the frame before"),
    ("camera.key.0.target_m", [5.5, -1.5, 1.6], "camera.key[0].target_m", "not straight above"),
    ("camera.key.0.focal_length_mm", 0.0, "camera.key[0].focal_length_mm", "from 1"),
    ("light.sun_radiance", [1.0, -1.0, 1.0], "light.sun_radiance[1]", "from 0"),
    ("light.sun_azimuth_degrees", "south", "light.sun_azimuth_degrees", "a number"),
    ("light", DELETE, "light", "required"),
    ("look", {"foam_albedo": [2.0, 1.0, 1.0]}, "look.foam_albedo[0]", "from 0 to 1"),
    ("look", {"index_of_refraction": 0.5}, "look.index_of_refraction", "from 1"),
    ("picture", {"exposure": 0.0}, "picture.exposure", "from 1e-06"),
    ("picture", {"seed": -1}, "picture.seed", "from 0"),
    ("render", {}, "render", "one of schema"),
    ("bad\x1b[31m key", 1, "bad", "one of schema"),
]  # fmt: skip


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert message and "\n" not in message and message.isprintable() and len(message) < 600
    return message


def test_there_are_a_hundred_malformed_files() -> None:
    assert len(MALFORMED) >= 100


@pytest.mark.parametrize(("path", "value", "key", "expected"), MALFORMED, ids=[f"{i}" for i in range(len(MALFORMED))])
def test_a_malformed_file_is_one_line(tmp_path: Path, path: str, value: Any, key: str, expected: str) -> None:
    file = tmp_path / "my_shot.toml"
    file.write_text(file_text(changed(path, value)), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_shot(file)
    message = one_line(error)
    assert message.startswith(f"{file}: ")
    assert key in message.removeprefix(f"{file}: ").split(": expected")[0]
    assert expected in message.split(": expected", 1)[1]
    assert ", got " in message


def test_of_several_problems_the_first_is_told() -> None:
    """Unknown keys of a table before its values, these in the schema's order, a list's length before its items."""
    tree = changed("shot.frames", 0)
    tree["domain"] = {"size_m": [-1.0, 2.0], "w": 1}
    tree["material"]["speed_limit_m_per_s"] = tree["body"][0]["hydrostatic"] = "no"
    tree["extra"] = 1
    for key, fix in (
        ("extra", lambda: tree.pop("extra")),
        ("shot.frames", lambda: tree["shot"].update(frames=3)),
        ("domain.w", lambda: tree["domain"].pop("w")),
        ("domain.size_m", lambda: tree["domain"].update(size_m=[-1.0, 2.0, 2.0])),
        ("domain.size_m[0]", lambda: tree["domain"].update(size_m=[4.0, 2.0, 2.0])),
        ("material.speed_limit_m_per_s", lambda: tree["material"].update(speed_limit_m_per_s=5)),
        ("body[0].hydrostatic", lambda: tree["body"][0].update(hydrostatic=True)),
    ):
        with pytest.raises(UserError) as error:
            parse_shot(file_text(tree), "f.toml")
        assert str(error.value).startswith(f"f.toml: {key}: expected ")
        fix()
    assert parse_shot(file_text(tree), "f.toml").material.speed_limit_m_per_s == 5.0


def test_a_shot_is_no_larger_than_its_numbers_can_count() -> None:
    """Sort keys and bricks' numbers are int32: one block more, and particles would be lost without a word."""
    tree = changed("size.S.cells_x", 2024)
    tree["body"][0]["max_m"] = [4.0, 2.0, 2.0]
    with pytest.raises(UserError, match=r"body\[0\]: expected a body of fewer than 2000000000 particles at size S"):
        parse_shot(file_text(tree), "f.toml")
    tree = changed("size.S.cells_x", 1800)
    parse_shot(file_text(tree), "f.toml")
    tree["size"]["S"]["voxel_per_cell"] = 0.1
    with pytest.raises(UserError, match=r"size\.S\.voxel_per_cell: expected a number that gives at most 2147483647"):
        parse_shot(file_text(tree), "f.toml")
    assert np.iinfo(np.int32).max == GRID_BLOCK_MAX * BLOCK_NODES - 1
    assert BRICK_VOXELS == BRICK_EDGE


def test_a_shot_holds_some_liquid() -> None:
    tree = pool()
    del tree["body"], tree["emitter"]
    with pytest.raises(UserError, match=r"f\.toml: body: expected at least one \[\[body\]\] or \[\[emitter\]\]"):
        parse_shot(file_text(tree), "f.toml")


NOT_TOML: list[tuple[bytes, str]] = [
    (b"", "an empty file"),
    (b" \n\t\n", "an empty file"),
    (b"schema = ", "TOML"),
    (b"[shot\nname", "TOML"),
    (b"schema = 1\nschema = 1\n", "TOML"),
    (b"\xff\xfe\x00s", "UTF-8"),
    (b"title = '\xe9'", "UTF-8"),
    (b"a = " + b"[" * 100_000, "TOML"),
    (b"\x00\x00\x00\x00", "TOML"),
    (b'{"schema": 1}', "TOML"),
    (b"x = 1979-05-27T07:32:00Z\n", "one of schema"),
    (b"# only a comment\n", "required"),
    (b"x" * (FILE_BYTES_MAX + 1), "at most"),
]


@pytest.mark.parametrize(("data", "expected"), NOT_TOML, ids=[f"{i}" for i in range(len(NOT_TOML))])
def test_what_is_not_toml_is_one_line(tmp_path: Path, data: bytes, expected: str) -> None:
    file = tmp_path / "odd.toml"
    file.write_bytes(data)
    with pytest.raises(UserError) as error:
        load_shot(file)
    assert str(file) in one_line(error)
    assert expected in one_line(error)


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    whole = POOL.read_bytes()
    file = tmp_path / "cut.toml"
    for length in range(0, len(whole) - 200, 97):
        file.write_bytes(whole[:length])
        try:
            load_shot(file)
        except UserError as error:
            assert "\n" not in str(error) and str(file) in str(error)


@pytest.mark.parametrize(
    "given", ["lawa", "", "../lava", "lava.toml", "no/such.toml", "a\x00b.toml", "a\nb", "x" * 5000]
)
def test_an_unknown_name_is_one_line(given: str) -> None:
    with pytest.raises(UserError) as error:
        load_shot(given)
    one_line(error)


@pytest.mark.needs("os.mkfifo")
def test_folders_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    for path, expected in ((folder, "a folder"), (pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(UserError) as error:
            load_shot(path)
        assert expected in one_line(error)


def _leaves(tree: Any, path: str = "") -> list[str]:
    if isinstance(tree, dict):
        return [p for k, v in tree.items() for p in [f"{path}{k}", *_leaves(v, f"{path}{k}.")]]
    if isinstance(tree, list):
        return [p for i, v in enumerate(tree) for p in [f"{path}{i}", *_leaves(v, f"{path}{i}.")]]
    return []


def test_random_mutations_are_read_or_refused_in_one_line() -> None:
    """Any value anywhere: either a shot, or one printable line."""
    random_ = random.Random(20240317)
    values = [DELETE, NAN, -INF, 0, -1, 10**30, 1e308, 5e-324, "", "../x", "\x00", [], {}, [[]], True, {"kind": "box"}]
    paths = _leaves(pool())
    refused = 0
    for _ in range(600):
        path, value = random_.choice(paths), random_.choice(values)
        try:
            parse_shot(file_text(changed(path, copy.deepcopy(value) if value is not DELETE else DELETE)), "f.toml")
        except UserError as error:
            refused += 1
            message = str(error)
            assert message.startswith("f.toml: ") and "\n" not in message and message.isprintable()
    assert refused > 400


def test_the_three_shots_and_their_sizes() -> None:
    assert {"lava", "tornado", "wave"} <= set(shot_names())
    for name in shot_names():
        shot = load_shot(name)
        assert shot.name == name
        assert tuple(shot.sizes) == SIZE_NAMES
        assert shot.frames == 60 and shot.file.shot.frame_rate == 24.0
        for size, (width, height, samples) in PICTURES.items():
            stated = shot.size(size)
            assert (stated.width, stated.height, stated.samples) == (width, height, samples)
        with pytest.raises(UserError, match=r"--size: expected one of S, M, L, XL, the sizes of .*, got 'Q'"):
            shot.size("Q")


def test_values_arrive_as_they_stand() -> None:
    assert isinstance(load_shot("lava").file.material, Lava)
    wave = load_shot("wave").file
    assert isinstance(wave.material, Water)
    assert isinstance(wave.body[0], BreakingWave)
    other = load_shot(POOL)
    assert other.name == "pool" and other.path == str(POOL)
    assert other.file.material.sound_speed_m_per_s == 50.0
    assert other.file.size["S"].max_depth == 24 and other.file.size["M"].max_depth == 12
    assert other.file.domain.walls.x_min == "separate" and other.file.domain.walls.z_max == "separate"
    assert other.file.emitter[0].start_s == 0.3
    assert other.file.collider[0].boundary == "slip"
    assert load_shot(POOL) == other


def test_a_definition_s_hash_is_of_what_the_file_says_and_of_nothing_else() -> None:
    """It stands in every record: a renamed class or field must not make records incomparable."""
    known = {"lava": "ae11efa25bee", "tornado": "3348a5516158", "wave": "14af5cd25ce3"}
    assert {name: definition_sha256(load_shot(name))[:12] for name in known} == known
    told = {
        definition_sha256(Shot(path="pool.toml", file=parse_shot(text, "pool.toml")))
        for text in (
            file_text(pool()),
            "# the same\n" + file_text(dict(reversed(pool().items()))),
            file_text(changed("shot.frame_rate", 24)),
            file_text(changed("domain.walls", {"x_min": "separate"})),
        )
    }
    assert len(told) == 1
    other = [changed("shot.frame_rate", 25), changed("size.S.samples", 17)]
    assert not told & {definition_sha256(Shot(path="", file=parse_shot(file_text(tree), ""))) for tree in other}
