"""The JSON Schema of a shot file, with which an editor completes one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.main import main
from bench.shot.load import SHOTS, load_shot, shot_names
from bench.shot.schema import ShotFile
from bench.shot.sizes import SIZE_NAMES
from bench.shot.table import UNITS, json_schema
from tests.bench.shot.test_shot import MALFORMED, POOL, changed, one_line, pool

SCHEMA = json_schema(ShotFile)
FILES = [*(SHOTS / f"{name}.toml" for name in shot_names()), POOL]
# What a schema of one value at a time cannot say: values that do not go together, and the size of the whole shot
TOGETHER = (
    "cells on every axis",
    "at most",
    "particles at size",
    "more than min_m",
    "less than radius_m",
    "away from from_m",
    "inner radius < outer radius",
    "not zero",
    "at least start_s",
    "heights",
    "the smaller number first",
    "more than the frame before",
    "not straight above",
    "embers come from lava",
)

NOT_IN_JSON = {"nan", "inf", "[4.0, nan, 2.0]", "1000.0"}  # it has no NaN, and takes 1e3 for a whole number


def properties() -> list[tuple[str, str, dict[str, Any]]]:
    """(table, key, its schema) of every key of every table."""
    tables = {"the file": SCHEMA, **SCHEMA["$defs"]}
    return [(table, key, node) for table, made in tables.items() for key, node in made["properties"].items()]


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(main, ["shots", "--schema"])
    assert done.exit_code == 0 and json.loads(done.stdout) == SCHEMA


def test_every_value_has_its_range_its_meaning_and_its_unit() -> None:
    numbers = 0
    for table, key, node in properties():
        if "$ref" in node or "oneOf" in node or key in ("kind", "size", "body", "emitter", "collider", "layer"):
            continue
        what = f"{table}.{key}"
        if node["type"] == "array" and "$ref" in node["items"]:
            continue
        assert node["description"], what
        inner = node
        while inner["type"] == "array":
            assert inner["maxItems"] >= inner["minItems"] > 0, what
            inner = inner["items"]
        if inner["type"] in ("number", "integer"):
            numbers += 1
            assert inner["minimum"] <= inner["maximum"], what
            end = next((end for end in UNITS if key.endswith(end)), None)
            assert end is None or node["description"].endswith(f" ({UNITS[end]})"), what
        else:
            assert inner["type"] == "boolean" or "enum" in inner or "pattern" in inner, what
    assert numbers > 150


def test_a_table_s_kind_is_required_and_says_which_it_is() -> None:
    kinds = [node for _, key, node in properties() if key == "kind"]
    assert len(kinds) == 29 and all(node == {"const": node["const"], "type": "string"} for node in kinds)
    assert all("kind" in made["required"] for made in SCHEMA["$defs"].values() if "kind" in made["properties"])
    assert all(made["additionalProperties"] is False for made in (SCHEMA, *SCHEMA["$defs"].values()))
    assert list(SCHEMA["properties"]["size"]["properties"]) == list(SIZE_NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_shots_that_ship_keep_to_it(path: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    found = jsonschema.validators.validator_for(SCHEMA)(SCHEMA).iter_errors(tomllib.loads(path.read_text("utf-8")))
    assert [error.message for error in found] == []


def test_it_refuses_what_the_reader_refuses_but_for_what_has_to_go_together() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(SCHEMA)
    validator.check_schema(SCHEMA)
    schema = validator(SCHEMA)
    assert schema.is_valid(pool())
    passed = {
        path: expected
        for path, value, _, expected in MALFORMED
        if str(value) not in NOT_IN_JSON and schema.is_valid(changed(path, value))
    }
    assert {path for path, expected in passed.items() if not any(words in expected for words in TOGETHER)} == set()
    assert len(passed) < 15


def test_a_key_of_earlier_versions_says_what_became_of_it(tmp_path: Path) -> None:
    file = tmp_path / "old.toml"
    text = (SHOTS / "lava.toml").read_text().replace("emissivity = 0.95", "emissivity = 0.95\nradiating_layer_m = 0.02")
    file.write_text(text)
    with pytest.raises(UserError) as error:
        load_shot(file)
    assert one_line(error) == (
        f"{file}: material.radiating_layer_m: expected no such key any more: "
        "what radiates is as deep as its particles are thick, got a key of earlier versions"
    )
