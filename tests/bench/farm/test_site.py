"""Site files: what ships, what follows from a file, and how what cannot be used is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import UserError
from bench.farm.site import KEYS_OF, SITES, Pool, SiteFile, load_site, parse_site, site_names
from bench.shot.table import expected, json_schema

LOCAL = '[[pool]]\nname = "here"\nprovider = "local"\n'
SLURM = '[[pool]]\nname = "gpu"\nprovider = "slurm"\ncores_per_node = 8\n'
PODS = '[[pool]]\nname = "a"\nprovider = "kubernetes"\ncores_per_node = 2'
CROWDED = "workers_per_node = 2\nthreads_per_worker = 3\ncores_per_node = 4"
# (what the file says, the key that is named, a part of what was expected)
MALFORMED = [
    ("", "the file", "got an empty file"),
    ("[[pool]", "the file", "expected TOML"),
    ("pools = 3", "pools", "expected one of pool"),
    ("pool = []", "pool", "expected a list of 1 to 16 tables, got a list of 0"),
    ('[pool]\nname = "a"', "pool", "expected a list of 1 to 16 tables, got a table of 1"),
    ("pool = [3]", "pool[0]", "expected a table"),
    ('[[pool]]\nprovider = "local"', "pool[0].name", "the key is required"),
    ('[[pool]]\nname = ""\nprovider = "local"', "pool[0].name", "1 to 40 of"),
    ('[[pool]]\nname = "../x"\nprovider = "local"', "pool[0].name", "1 to 40 of"),
    ('[[pool]]\nname = "a"', "pool[0].provider", "the key is required"),
    ('[[pool]]\nname = "a"\nprovider = "sge"', "pool[0].provider", '"local", "slurm"'),
    (LOCAL + "foo = 3", "pool[0].foo", "got an unknown key"),
    (LOCAL + 'partition = "gpu"', "pool[0].partition", "provider local has none, only slurm"),
    (LOCAL + 'wall_time = "01:00:00"', "pool[0].wall_time", "provider local has none"),
    (LOCAL + "nodes = 2", "pool[0].nodes", "this machine is one node"),
    (LOCAL + "nodes = 0", "pool[0].nodes", "a whole number from 1 to 10000"),
    (LOCAL + "nodes = 1.5", "pool[0].nodes", "a whole number"),
    (LOCAL + "nodes = true", "pool[0].nodes", "a whole number"),
    (LOCAL + 'setup = "module load cuda"', "pool[0].setup", "a list of 0 to 40 texts"),
    (LOCAL + 'setup = ["a", 3]', "pool[0].setup[1]", "a line of 1 to 400"),
    (LOCAL + 'setup = ["a\\nb"]', "pool[0].setup[0]", "a line of 1 to 400"),
    (LOCAL + "heartbeat_s = 120", "pool[0].heartbeat_s", "from 6 to 110"),
    (LOCAL + 'backend = "cuda"', "pool[0].backend", '"auto", "numba", "cupy"'),
    (LOCAL + 'gpus_per_node = 0\nbackend = "cupy"', "pool[0].backend", "gpus_per_node is 0"),
    (LOCAL + 'gpus_per_node = 2\nbackend = "numba"', "pool[0].backend", "asks for GPUs"),
    (LOCAL + CROWDED, "pool[0].threads_per_worker", "at most 2"),
    ('[[pool]]\nname = "a"\nprovider = "slurm"', "pool[0].cores_per_node", "provider slurm needs it"),
    (SLURM + 'wall_time = "1h"', "pool[0].wall_time", "HH:MM:SS"),
    (SLURM + 'wall_time = "00:01:59"', "pool[0].wall_time", "from 00:02:00"),
    (SLURM + 'partition = "a b"', "pool[0].partition", "1 to 120 of"),
    (SLURM + 'partition = "a;rm"', "pool[0].partition", "1 to 120 of"),
    (SLURM + 'image = "a"', "pool[0].image", "only kubernetes"),
    (PODS, "pool[0].image", "provider kubernetes needs it"),
    (SLURM + SLURM, "pool[1].name", "a name that no other pool has"),
]


@pytest.mark.parametrize(("text", "key", "says"), MALFORMED)
def test_what_cannot_be_used_is_one_line(text: str, key: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_site(text, "mine.toml", "mine")
    line = str(caught.value)
    assert line.startswith(f"mine.toml: {key}: expected ") and says in line and "\n" not in line


@pytest.mark.parametrize("given", ["nowhere.toml", "no-such-site", "folder/", "sp ace.toml", "\ud800.toml"])
def test_what_is_no_file_is_one_line(tmp_path: Path, given: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError) as caught:
        load_site(str(tmp_path / given) if given.endswith((".toml", "/")) else given)
    assert "expected" in str(caught.value) and "\n" not in str(caught.value)


def test_the_sites_that_ship() -> None:
    assert set(site_names()) >= {"local", "slurm", "kubernetes"}
    assert list(site_names()) == sorted(path.stem for path in SITES.glob("*.toml"))
    assert [load_site(name).workers for name in ("local", "slurm", "kubernetes")] == [1, 32, 8]
    assert load_site("slurm").pools[0].threads == 8 and load_site("slurm").pools[0].wall_time_s == 4 * 3600
    assert load_site(SITES / "local.toml").name == "local" and load_site("local").providers == "local"


@pytest.mark.parametrize(
    ("gpus", "cores", "more", "workers", "threads"),
    [
        (0, 16, "", 1, 16),
        (8, 64, "", 8, 8),
        (3, 2, "", 3, 1),
        (8, 64, "gpus_per_node = 2", 2, 32),
        (0, 16, "workers_per_node = 4", 4, 4),
        (0, 16, "workers_per_node = 4\ncores_per_node = 8", 4, 2),
        (8, 64, "workers_per_node = 4\nthreads_per_worker = 1", 4, 1),
    ],
)
def test_what_this_machine_has_fills_what_the_file_leaves_out(
    gpus: int, cores: int, more: str, workers: int, threads: int
) -> None:
    site = parse_site(LOCAL + more, "mine.toml", "mine").here(gpus, cores)
    assert (site.workers, site.pools[0].threads) == (workers, threads)
    slurm = parse_site(SLURM + "gpus_per_node = 4", "mine.toml", "mine")
    assert slurm.here(gpus, cores) == slurm and (slurm.workers, slurm.pools[0].threads) == (4, 2)


def test_every_key_says_what_it_means_and_what_it_takes() -> None:
    assert set(json_schema(SiteFile)["properties"]) == {"pool"}
    properties = json_schema(Pool)["properties"]
    assert set().union(*KEYS_OF.values()) <= set(properties)
    for name, node in properties.items():
        assert node["description"] and len(expected(node)) > 3, name
