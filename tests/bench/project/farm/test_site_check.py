"""What ``farm check`` writes of a site: read back as it was, and refused in one line where it is anything else."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import UserError
from bench.base.files import dump
from bench.project.inputs.site_check import SiteCheck, check_path, load_check, parse_check
from tests.bench.project.farm.made_up_site import site_check


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    made = site_check(nodes=3, workers=2, cores=2)
    path = tmp_path / "three.json"
    path.write_bytes(dump(made.document()))
    assert load_check(path) == made
    assert json.loads(path.read_text())["schema"] == 1
    assert check_path(tmp_path, "three") == tmp_path / "sites" / "three.json"


def test_nodes_of_one_machine_share_its_cores() -> None:
    emulated = site_check(nodes=3, workers=2, cores=2, machines=1)
    assert emulated.worker_count == 6 and emulated.cores == 2
    assert site_check(nodes=3, workers=2, cores=2, machines=3).cores == 6
    assert [w.slowing for node in emulated.nodes for w in node.workers] == [pytest.approx(3.0)] * 6


def test_what_was_not_measured_is_none() -> None:
    document = site_check().document()
    worker = document["nodes"][0]["workers"][0]  # type: ignore[index]
    worker.update(alone=None, together=None, cupy=None)
    found = parse_check(document, "x").nodes[0].workers[0]
    assert found.alone is None and found.slowing is None


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        inner: Any = document
        for step in steps:
            inner = inner[int(step)] if step.isdigit() else inner[step]
        inner[last] = value

    return change


def twice(key: str, inside: str = "") -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        where = document["nodes"][0] if inside else document
        where[key].append(copy.deepcopy(where[key][0]))

    return change


WORKER = "nodes.0.workers.0"
WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no schema": (lambda d: d.pop("schema"), "schema: expected 1, got nothing"),
    "another schema": (put("schema", 2), "schema: expected 1, got 2"),
    "a true schema": (put("schema", True), "schema: expected 1, got true"),
    "a schema of a list": (put("schema", [1]), "schema: expected 1, got [1]"),
    "an unknown key": (put("cost", 1), "cost: expected one of site, provider"),
    "a missing key": (lambda d: d.pop("provider"), "provider: expected a value (the key is required), got nothing"),
    "a site of no text": (put("site", 7), "site: expected text of 1 to 120"),
    "a site of two lines": (put("site", "a\nb"), "site: expected text of 1 to 120"),
    "a site that paints": (put("site", "\x1b[31mred"), "site: expected text of 1 to 120"),
    "a site of 200 kB": (put("site", "x" * 200_000), "site: expected text of 1 to 120"),
    "no time": (put("checked", "yesterday"), "checked: expected a time with its zone"),
    "a time without a zone": (put("checked", "2026-11-30T15:00:00"), "checked: expected a time with its zone"),
    "no queue": (put("queue_s", []), "queue_s: expected a list of 1 to 10000 numbers, got a list of 0"),
    "a queue of text": (put("queue_s", ["3"]), "queue_s[0]: expected a number from 0 to 2.592e+06 s, got '3'"),
    "a queue of one number": (put("queue_s", 3.0), "queue_s: expected a list of 1 to 10000 numbers"),
    "negative seconds": (put("dispatch_s", [1.0, -1.0]), "dispatch_s[1]: expected a number from 0"),
    "a latency of true": (put("latency_s", [True]), "latency_s[0]: expected a number from 0"),
    "no nodes": (put("nodes", []), "nodes: expected a list of 1 to 4096 tables, got a list of 0"),
    "nodes that are an object": (put("nodes", {}), "nodes: expected a list of 1 to 4096 tables"),
    "a node of text": (put("nodes", ["gb1"]), "nodes[0]: expected a table, got 'gb1'"),
    "the same node twice": (twice("nodes"), "nodes: expected another node in each, got 'gb1' 2 times"),
    "the same worker twice": (twice("workers", "node"), "nodes[0].workers: expected another worker in each"),
    "no cores": (put("nodes.0.cores", 0), "nodes[0].cores: expected a whole number from 1 to 65536, got 0"),
    "half a core": (put("nodes.0.cores", 1.5), "nodes[0].cores: expected a whole number"),
    "memory of 5,000 digits": (put("nodes.0.memory_bytes", 10**5000), "nodes[0].memory_bytes: expected a whole"),
    "a disk of no speed": (put("nodes.0.write_bytes_per_s", 0), "nodes[0].write_bytes_per_s: expected a number from 1"),
    "no machine": (lambda d: d["nodes"][0].pop("machine"), "nodes[0].machine: expected a value"),
    "another back-end": (put(f"{WORKER}.backend", "metal"), 'workers[0].backend: expected one of "numba", "cupy"'),
    "another size": (put(f"{WORKER}.alone.size", "XXL"), 'alone.size: expected one of "S", "M", "L", "XL"'),
    "another frame together": (put(f"{WORKER}.together.frame", 2), "together: expected shot, size and frame of alone"),
    "hashes of another word": (put(f"{WORKER}.hashes", "fine"), 'hashes: expected "golden", or "differ: "'),
    "seconds of null": (put(f"{WORKER}.start_s", None), "workers[0].start_s: expected a number from 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(name: str) -> None:
    change, expected = WRONG[name]
    document: Any = site_check(nodes=1).document()
    change(document)
    with pytest.raises(UserError) as found:
        parse_check(document, "sites/three.json")
    text = str(found.value)
    assert text.startswith("sites/three.json: ") and expected in text
    assert len(text) < 500 and text.isprintable()


@pytest.mark.parametrize("document", [None, 3, "x", [], [1], True, {}])
def test_what_is_no_check_is_one_line(document: object) -> None:
    with pytest.raises(UserError, match=r"^x: (the file|schema): expected"):
        parse_check(document, "x")


def test_hostile_files_are_one_line(tmp_path: Path) -> None:
    whole = dump(site_check().document())
    generator = random.Random(12)
    cases = [b"", b"\0" * 100, b"[" * 100_000, b"\xff\xfe", b'{"schema": 1e999}', b'{"schema": NaN}', whole[:-200]]
    for _ in range(200):
        cut = bytearray(whole)
        for _ in range(generator.randint(1, 6)):
            cut[generator.randrange(len(cut))] = generator.randrange(256)
        cases.append(bytes(cut))
    path, refused = tmp_path / "site.json", 0
    for content in cases:
        path.write_bytes(content)
        try:
            assert isinstance(load_check(path), SiteCheck)
        except UserError as error:
            refused += 1
            assert str(error).startswith(str(path)) and len(str(error).splitlines()) == 1
    assert refused > 150
    for other in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(UserError):
            load_check(other)
