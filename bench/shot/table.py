"""Tables of a TOML file as frozen pydantic models, and every error as one line.

Pydantic validates. What a line says was expected is read from the model's JSON Schema, which is also what an editor
completes a file with: so a limit stands once, on its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from bench.shot.problem import NOTHING, Got, Problem, plain_key

UNIT = "x-unit"  # of a number, where its key does not name it
WHEN_MISSING = "x-when-missing"  # what a missing key should have been, where that is more than any value
GONE = "x-gone"  # of a table: keys that earlier versions had, and what there is instead
WHEN_NO_TABLE = "x-when-no-table"  # what should have stood in place of something that is no table


# Units of keys by the end of their names, the longest first
UNITS = {
    "_w_per_m_k": "W/m/K",
    "_j_per_kg_k": "J/kg/K",
    "_kg_per_m3": "kg/m^3",
    "_m_per_s2": "m/s^2",
    "_rad_per_s": "rad/s",
    "_m_per_s": "m/s",
    "_per_m": "1/m",
    "_per_s": "1/s",
    "_pa_s": "Pa s",
    "_radians": "radians",
    "_degrees": "degrees",
    "_radiance": "linear RGB",
    "_albedo": "linear RGB",
    "_mm": "mm",
    "_pa": "Pa",
    "_k": "K",
    "_m": "m",
    "_s": "s",
}


def _complete(schema: JsonSchemaValue, model: type[Table]) -> None:
    """Say in a table's JSON Schema what an editor cannot know: units, that a kind has to be given, what is gone."""
    if model.gone:
        schema[GONE] = dict(model.gone)
    for name, node in schema["properties"].items():
        unit = node.get(UNIT) or next((unit for end, unit in UNITS.items() if name.endswith(end)), None)
        if unit and "description" in node:
            node["description"] += f" ({unit})"
    if "const" in schema["properties"].get("kind", {}):  # code may leave it out, a file must not
        del schema["properties"]["kind"]["default"]
        schema["required"] = ["kind", *schema.get("required", [])]


class Table(BaseModel):
    """A table of a file: known keys, no conversion but of a whole number to a float, finite numbers."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        json_schema_extra=_complete,
    )

    gone: ClassVar[Mapping[str, str]] = {}  # keys that earlier versions had, and what there is instead

    @model_validator(mode="after")
    def _validate_together(self) -> Self:
        self.validate_together()
        return self

    def validate_together(self) -> None:
        """Raise Problem where values that are right by themselves do not go together."""


Model = TypeVar("Model", bound=Table)


class _TomlSchema(GenerateJsonSchema):
    """JSON Schema as a TOML file needs it: no null, and one description for the numbers of a vector."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default") is None or isinstance(schema.get("default"), BaseModel):
            made.pop("default", None)
        return made

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        made = super().tuple_schema(schema)
        if "prefixItems" in made:
            made["items"] = made.pop("prefixItems")[0]
        return made

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def json_schema(model: type[Table]) -> JsonSchemaValue:
    """The JSON Schema of a file: ranges, units and meanings of its keys."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | model.model_json_schema(schema_generator=_TomlSchema)


def validate(model: type[Model], table: Mapping[str, object]) -> Model:
    """``table`` as an instance of ``model``; raises the Problem that comes first."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise _first_problem(found, 0, _whole_schema(model), table, "") from None


@cache
def _whole_schema(model: type[Table]) -> JsonSchemaValue:
    schema = json_schema(model)
    found: JsonSchemaValue = _without_references(schema, schema.get("$defs", {}))
    return found


def expected(node: JsonSchemaValue) -> str:
    """What a value should be, of its part of a JSON Schema."""
    match node.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            factor = f", a multiple of {node['multipleOf']}" if "multipleOf" in node else ""
            return f"a whole number from {node['minimum']} to {node['maximum']}{factor}"
        case "number":
            unit = f" {node[UNIT]}" if node.get(UNIT) else ""
            return f"a number from {node['minimum']:g} to {node['maximum']:g}{unit}"
        case "string":
            return _one_of(node["enum"]) if "enum" in node else str(node["description"])
        case "array":
            low, high, item = node.get("minItems", 0), node["maxItems"], node["items"]
            count = f"{low}" if low == high else f"{low} to {high}"
            if item.get("type") == "array":
                return f"a list of {count} points of {item['maxItems']} numbers"
            items = {"number": "numbers", "string": "texts"}.get(str(item.get("type")), "tables")
            return f"a list of {count} {items}"
    return str(node.get(WHEN_NO_TABLE, "a table"))


def _one_of(names: Iterable[str]) -> str:
    return "one of " + ", ".join(f'"{name}"' for name in names)


def _without_references(node: Any, definitions: Mapping[str, JsonSchemaValue]) -> Any:
    """The same JSON Schema with its definitions in place."""
    if isinstance(node, list):
        return [_without_references(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] | {k: v for k, v in node.items() if k != "$ref"}
    return {name: _without_references(inner, definitions) for name, inner in node.items() if name != "$defs"}


def _first_problem(errors: Sequence[ErrorDetails], depth: int, node: JsonSchemaValue, value: Any, key: str) -> Problem:
    """The first problem of ``value``, which lies under ``key``, ``depth`` steps down, and should be what ``node`` says.

    A list's length comes before its items, a table's unknown keys before its values, and these as the schema has them.
    """
    is_list = isinstance(value, list) and node.get("type") == "array"
    if is_list and not node.get("minItems", 0) <= len(value) <= node["maxItems"]:
        return Problem(key, expected(node), Got(f"a list of {len(value)}"))
    unknown = [e["loc"][depth] for e in errors if e["type"] == "extra_forbidden" and len(e["loc"]) == depth + 1]
    if unknown:
        if unknown[0] in node.get(GONE, {}):
            return Problem(str(unknown[0]), node[GONE][unknown[0]], Got("a key of earlier versions")).under(key)
        known = ", ".join(name for name in node["properties"] if name != "kind")
        return Problem(plain_key(str(unknown[0])), f"one of {known}", Got("an unknown key")).under(key)
    place = errors[0]["loc"][depth:]
    if not place:
        return _problem_here(errors[0], node, value, key)
    step = place[0]
    inside = [error for error in errors if error["loc"][depth : depth + 1] == (step,)]
    if "oneOf" in node:
        return _first_problem(inside, depth + 1, _branch(node, str(step)), value, key)
    if isinstance(step, int):
        return _first_problem(inside, depth + 1, node["items"], value[step], f"{key}[{step}]")
    below, path = node["properties"][step], f"{key}.{step}" if key else step
    if step not in value:
        return Problem(path, below.get(WHEN_MISSING, "a value (the key is required)"), NOTHING)
    return _first_problem(inside, depth + 1, below, value[step], path)


def _problem_here(error: ErrorDetails, node: JsonSchemaValue, value: Any, key: str) -> Problem:
    own = error.get("ctx", {}).get("error")
    if isinstance(own, Problem):
        return own.under(key)
    if error["type"].startswith("union_tag") and isinstance(value, dict):
        kinds = _one_of(branch["properties"]["kind"]["const"] for branch in node["oneOf"])
        return Problem(f"{key}.kind", kinds, value.get("kind", NOTHING))
    return Problem(key, expected(node), value)


def _branch(node: JsonSchemaValue, tag: str) -> JsonSchemaValue:
    """The schema of the table of this kind, or, where tables have none, of the one that has a key of this name."""
    branches: list[JsonSchemaValue] = node["oneOf"]
    for branch in branches:
        properties = branch["properties"]
        if properties["kind"]["const"] == tag if "kind" in properties else tag in properties:
            return branch
    raise AssertionError(f"no table for {tag}")
