"""A pool of a site as Parsl's provider of nodes: one block is one node."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.base.errors import Unavailable, UserError
from bench.base.files import CHECKOUT
from bench.farm.site import Pool

COMMAND_TIMEOUT_S = 60  # of sbatch, squeue and such: Parsl's 10 s are too few where hundreds ask at once
ANSWER_WITHIN_S = 20  # of Slurm, to the question which partitions it has
STATUS_INTERVAL_S = 15  # between two looks at the queue
CANCEL_AT_ONCE = 50  # jobs; hundreds in one scancel time out
# What a provider needs on this machine, and what it is called there
PROGRAMS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub", "kubernetes": "kubectl"}
CLASSES = {
    "local": "LocalProvider",
    "slurm": "SlurmProvider",
    "pbs": "PBSProProvider",
    "lsf": "LSFProvider",
    "kubernetes": "KubernetesProvider",
}
GPUS = "SHOTMARK_GPUS"  # that the scheduler gave a node: Parsl numbers from 0, and by what nvidia-smi counts


def require_provider(pool: Pool) -> None:
    """Raise Unavailable where this machine cannot ask for nodes of this pool, in one line."""
    program = PROGRAMS.get(pool.provider)
    if program is not None and shutil.which(program) is None:
        raise Unavailable(
            f"pool {pool.name}: provider {pool.provider} needs {program}, which is not in PATH here: start this command"
            " where jobs are submitted, or choose another --site"
        )
    if pool.provider == "kubernetes" and importlib.util.find_spec("kubernetes") is None:
        raise Unavailable(f"pool {pool.name}: provider kubernetes needs a package: pip install kubernetes")


def require_partition(pool: Pool, path: str) -> None:
    """Raise Unavailable where Slurm does not answer, UserError where it has no such partition; ``path`` is the site's.

    sbatch would say it too, but after a minute for each node.
    """
    if pool.provider != "slurm" or shutil.which("sinfo") is None:
        return
    try:
        done = subprocess.run(["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, timeout=ANSWER_WITHIN_S)
        said, failed = done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired as error:
        said, failed = (error.stderr or b"").decode(errors="replace"), True
    if failed:
        why = " ".join(said.split())[-200:] or f"no answer within {ANSWER_WITHIN_S} s"
        raise Unavailable(f"pool {pool.name}: Slurm does not answer: {why}")
    names = sorted(set(done.stdout.split()))
    if pool.partition is not None and pool.partition not in names:
        has = ", ".join(names[:8]) or "none"
        raise UserError(f"{path}: pool {pool.name}: partition: expected one of {has}, got {pool.partition!r}")


def provider_of(pool: Pool) -> Any:
    """Parsl's provider of a pool. It may ask the scheduler something at once."""
    from parsl import providers

    parent = getattr(providers, CLASSES[pool.provider])

    def cancel(self: Any, job_ids: Sequence[Any]) -> list[bool]:
        cut = [job_ids[at : at + CANCEL_AT_ONCE] for at in range(0, len(job_ids), CANCEL_AT_ONCE)]
        return [done for some in cut for done in parent.cancel(self, some)]

    more = {"cancel": cancel}
    if pool.wall_time_s is not None:
        more["status_polling_interval"] = property(lambda self: STATUS_INTERVAL_S)  # type: ignore[assignment]
    return type(parent.__name__, (parent,), more)(**arguments_of(pool))


def arguments_of(pool: Pool) -> dict[str, Any]:
    """What Parsl's class of this provider is made with: all nodes at once, each a block of its own."""
    from parsl.launchers import SimpleLauncher

    blocks = {"init_blocks": pool.nodes, "min_blocks": 0, "max_blocks": pool.nodes, "nodes_per_block": 1}
    given: dict[str, Any] = {**blocks, "worker_init": "\n".join(first_lines(pool))}
    if pool.provider == "kubernetes":
        memory = f"{pool.memory_gib_per_node}Gi"
        given |= {"image": pool.image, "namespace": pool.namespace or "default"}
        given |= {"init_cpu": pool.cores, "max_cpu": pool.cores, "init_mem": memory, "max_mem": memory}
        given["persistent_volumes"] = [tuple(volume.split(":", 1)) for volume in pool.volumes]
        if pool.gpus:
            gpus = {"nvidia.com/gpu": str(pool.gpus)}
            given |= {"extra_requests": gpus, "extra_limits": gpus}
        return given
    given |= {"launcher": SimpleLauncher(), "cmd_timeout": COMMAND_TIMEOUT_S}
    if pool.provider == "local":
        return given
    given |= {"walltime": pool.wall_time}
    options = list(pool.scheduler_options)
    if pool.provider == "slurm":
        given |= {"partition": pool.partition, "account": pool.account, "qos": pool.queue}
        given |= {"cores_per_node": pool.cores, "mem_per_node": pool.memory_gib_per_node}
        given |= {"gpus_per_node": pool.gpus or None, "exclusive": False}  # a node may be shared: ask only for a part
    elif pool.provider == "pbs":
        memory = f"mem={pool.memory_gib_per_node}gb" if pool.memory_gib_per_node else ""
        chosen = [part for part in (f"ngpus={pool.gpus}" if pool.gpus else "", memory) if part]
        given |= {"account": pool.account, "queue": pool.queue, "cpus_per_node": pool.cores}
        given["select_options"] = ":".join(chosen)
    else:
        given |= {"project": pool.account, "queue": pool.queue, "cores_per_node": pool.cores}
        options += [f"#BSUB -gpu num={pool.gpus}"] if pool.gpus else []
        options += [f"#BSUB -M {pool.memory_gib_per_node}G"] if pool.memory_gib_per_node else []
    given["scheduler_options"] = "\n".join(options)
    return given


def first_lines(pool: Pool) -> list[str]:
    """What a node's shell does first. The pool's own lines come last but for what they may not change."""
    numbers = ",".join(map(str, range(pool.gpus)))  # where nobody gave the node its GPUs, they are numbered from 0
    lines = [f'export {GPUS}="${{CUDA_VISIBLE_DEVICES:-{numbers}}}"' if pool.gpus else f"export {GPUS}="]
    if pool.provider != "kubernetes":  # there the image has its own
        lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
        if (CHECKOUT / "pyproject.toml").is_file():  # installed, it is found by itself
            lines.append(f'export PYTHONPATH={shlex.quote(str(CHECKOUT))}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    # Numba makes no more threads than it is told before it is imported, whichever thread asks later
    return [*lines, *pool.setup, f"export NUMBA_NUM_THREADS={pool.threads}"]


def drain_s(pool: Pool, longest_s: float) -> int | None:
    """Seconds after which a node takes no more tasks, so that none is cut off by the wall time; None without one."""
    wall_s = pool.wall_time_s
    if wall_s is None:
        return None
    return int(wall_s - max(30.0, min(1.2 * longest_s, wall_s / 2)))


def accelerators(pool: Pool) -> Mapping[str, Any]:
    """Which GPU each worker of a node has, as Parsl's executor takes it."""
    if not pool.gpus:
        return {}
    return {"available_accelerators": [str(worker * pool.gpus // pool.workers) for worker in range(pool.workers)]}
