"""What is known of a site before anything runs there: its nodes, and which of them are one machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.project.inputs.site_check import SiteCheck


@dataclass(frozen=True)
class Here:
    """What is so just now on the machine that submits."""

    machine: str | None = None  # its boot id: nodes that have it are this machine
    threads_of_others: float = 0.0  # that run now and are not ours
    compiles: bool = False  # the cache of the workers holds nothing of this version


@dataclass(frozen=True)
class Known:
    """What else is known of a run before it begins."""

    pieces: int | None = None  # of every frame; None: as the dispatcher decides
    simulated_to: int = 0  # the last frame whose state is there
    poll_s: float | None = None  # between two looks of the dispatcher
    losses_per_hour: float = 0.0  # of workers
    here: Here = Here()
    lessons: tuple[float, ...] = ()  # of earlier runs there: what each took over what the model alone had said


@dataclass(frozen=True)
class NodeFacts:
    """What is known of a node before anything runs there."""

    node: str
    machine: str  # nodes of one machine share its cores
    cores: int
    workers: int
    threads: int  # of a worker
    backend: str = "numba"

    def of(self, pool: str) -> NodeFacts:
        """The same, told apart from those of other pools."""
        return replace(self, node=f"{pool} {self.node}", machine=f"{pool} {self.machine}")


@dataclass(frozen=True)
class SiteFacts:
    """A site as its file says it is."""

    name: str
    provider: str  # "local", or that of a scheduler
    nodes: tuple[NodeFacts, ...]

    @property
    def worker_count(self) -> int:
        return sum(node.workers for node in self.nodes)

    @property
    def cores(self) -> int:
        return sum({node.machine: node.cores for node in self.nodes}.values())


def site_facts(
    name: str,
    provider: str,
    *,
    nodes: int,
    workers: int,
    threads: int,
    cores: int,
    backend: str = "numba",
    check: SiteCheck | None = None,
) -> SiteFacts:
    """A site of equal nodes; which of them are one machine a check says, else each is one of its own.

    Where a check has found on what a node's workers run, that counts: ``auto`` takes a GPU only where one works.
    """
    machines = {node.machine: node.cores for node in check.nodes} if check else {}
    one = next(iter(machines)) if check and len(machines) == 1 and len(check.nodes) > 1 else None
    found = []
    for number in range(nodes):
        known = check.nodes[number] if check and number < len(check.nodes) else None
        machine = known.machine if known else one or f"node {number + 1}"
        size = machines.get(machine, cores)
        label = known.node if known else f"node {number + 1}"
        runs_on = {one.backend for one in known.workers} if known else set()
        really = runs_on.pop() if len(runs_on) == 1 else backend
        found.append(NodeFacts(label, machine, size, workers, threads, really))
    return SiteFacts(name, provider, tuple(found))
