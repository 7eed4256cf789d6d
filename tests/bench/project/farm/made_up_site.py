"""A made-up check of a site: nodes that may stand on one machine, and workers of one speed."""

from __future__ import annotations

from bench.project.inputs.site_check import FrameTimes, NodeCheck, SiteCheck, WorkerCheck


def frame_times(factor: float = 1.0, shot: str = "wave", size: str = "S") -> FrameTimes:
    """Of a frame that takes 1 s of simulation and 2 s of rendering."""
    return FrameTimes(
        shot=shot,
        size=size,  # type: ignore[arg-type]  # one of the names
        frame=1,
        simulate_s=1.0 * factor,
        surface_s=0.1 * factor,
        trace_s=1.9 * factor,
        write_s=0.05,
    )


def site_check(
    nodes: int = 1, workers: int = 1, cores: int = 2, machines: int | None = None, slowing: float | None = None
) -> SiteCheck:
    """On one machine unless ``machines`` says more; workers share cores unless ``slowing`` says what that costs."""
    standing = machines or 1
    busy = nodes * workers * 1.0 / (cores * standing)
    factor = slowing if slowing is not None else max(1.0, busy)

    def worker(number: int) -> WorkerCheck:
        return WorkerCheck(
            worker=str(number),
            backend="numba",
            threads=1,
            device="AMD EPYC, 1 thread",
            python="3.12.1",
            numba="0.61.0",
            cupy=None,
            version="0.1.0",
            kernels="0123456789ab",
            import_s=0.8,
            start_s=1.5,
            hashes="golden",
            alone=frame_times(),
            together=frame_times(factor),
        )

    def node(number: int) -> NodeCheck:
        return NodeCheck(
            node=f"gb{number + 1}",
            machine=f"boot-{number % standing}",
            cores=cores,
            memory_bytes=8 * 2**30,
            write_bytes_per_s=4e8,
            read_bytes_per_s=8e8,
            sync_s=0.004,
            visible_s=0.01,
            workers=tuple(worker(n) for n in range(workers)),
        )

    return SiteCheck(
        site="three",
        provider="slurm",
        checked="2026-11-30T15:00:00+00:00",
        version="0.1.0",
        queue_s=(3.0, 4.0),
        dispatch_s=(0.001, 0.0012, 0.0011),
        latency_s=(0.004, 0.005),
        nodes=tuple(node(n) for n in range(nodes)),
    )
