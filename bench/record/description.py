"""What a record says of a machine and of the checkout that ran, as JSON objects. What is not known is None."""

from __future__ import annotations

from typing import TypedDict


class Cpu(TypedDict):
    """The processor and what this process may use of it."""

    model: str | None
    family: str | None
    model_number: str | None
    isa: list[str]  # of ISA_FLAGS
    architecture: str | None
    logical_cores: int | None
    physical_cores: int | None
    affinity_cores: int
    cgroup_quota_cores: float | None
    clock_hz: float | None
    clock_max_hz: float | None
    governor: str | None


class Memory(TypedDict):
    """Main memory, and the container's limit where there is one."""

    total_bytes: int
    cgroup_limit_bytes: int | None


class Gpu(TypedDict):
    """One GPU that the process may use, as its driver describes it."""

    model: str | None
    memory_bytes: int | None
    driver: str | None
    cuda_driver: str | None
    power_limit_w: float | None
    clock_hz: float | None
    clock_max_hz: float | None
    memory_clock_max_hz: float | None
    ecc: bool | None
    mig: bool | None
    mig_profile: str | None  # of a slice of a board, such as 1g.10gb; model and memory are the slice's then
    uuid: str | None  # GPU-... or MIG-...; records from before it was noted have none


class System(TypedDict):
    """The operating system."""

    name: str
    release: str
    libc: str | None


class Python(TypedDict):
    """The interpreter."""

    version: str
    implementation: str


class Hardware(TypedDict):
    """What stays the same while a process runs."""

    cpu: Cpu
    memory: Memory
    gpus: list[Gpu]
    system: System
    python: Python
    libraries: dict[str, str | None]  # by name; None: not installed


class Machine(Hardware):
    """Everything that a record says about a machine."""

    id: str  # name of its folder in results/
    load_average: float | None  # runnable processes over the last minute
    threading_layer: str | None  # of Numba; None before the first parallel kernel
    wait_policy: str | None  # how long a thread spins before it sleeps
    spin_count: str | None  # GOMP_SPINCOUNT


class Commit(TypedDict):
    """The checkout that runs; None where it is none, or where git does not tell."""

    id: str | None
    clean: bool | None  # whether its tree was
    time: str | None
    branch: str | None
    why_unversioned: str | None  # why there is no id
