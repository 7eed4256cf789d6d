"""Parts of a certificate that measure without a shot: roofs, kernels against them, a large block of water."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.base import units
from bench.base.errors import BudgetSpent
from bench.check.certify.session import Session
from bench.measure.roofs import AnyRoofs
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, Finding
from bench.record.statistics import median
from kernels.base.kernel import Kernel

WATER_PARTICLE_BYTES = 320  # of a block of water, everything included, and more than that
# Examples for a GPU: growing them would cost more than the launches. 300 MB and more where a kernel moves much, a
# launch of some 50 ms on H200 where it computes; made on one core in at most 3 s (``shotmark kernels --size``)
GPU_SIZES = {
    "mpm_p2g": 2**22,
    "mpm_g2p": 2**22,
    "mpm_push": 2**22,
    "mpm_strain": 2**22,
    "mpm_sort": 2**22,
    "mpm_grid": 2**22,
    "surf_field": 2**24,
    "surf_distance": 2**24,
    "img_trace": 1000,
}


def measure_roofs(session: Session) -> Finding:
    """What this machine can do at the most."""
    if session.on_gpu:
        from bench.measure.roofs_gpu import measure_device_roofs

        session.roofs = measure_device_roofs(session.gpu, **session.limits.roofs)
    else:
        from bench.measure.roofs import measure_roofs as measure_cpu_roofs

        session.roofs = measure_cpu_roofs(session.cpu.threads or 1)
    return _roofs_found(session.roofs)


def _roofs_found(roofs: AnyRoofs) -> Finding:
    line = f"copy {units.count(roofs.copy_bytes_per_s)}B/s, {units.count(roofs.fma_flop_per_s)}flop/s"
    return Finding(NOTED, line, roofs.document())


def kernels(session: Session, name: str, choose: Callable[[Session], list[Kernel]]) -> Finding:
    """The chosen kernels alone, proved, timed, and held against the roofs; ``name`` is the part's."""
    from bench.measure.kernels import document, measure_against
    from bench.measure.kernels_gpu import measure_on_device
    from bench.measure.roofs import Roofs

    if session.roofs is None:
        return Finding(LEFT_OUT, "the roofs were not measured")
    wanted, rows = choose(session), session.kernel_rows
    # What was begun in the part's own time may end after it, but not after the budget
    threads, certificate = session.cpu.threads or 1, session.certificate
    for kernel in wanted:
        if session.late:
            break
        try:
            if session.on_gpu:
                size = session.limits.kernel_size or GPU_SIZES.get(kernel.name)
                session.await_compiled(kernel.name)
                found = measure_on_device(kernel, session.gpu, threads, size, left_s=lambda: certificate.left_s)
            else:
                assert isinstance(session.roofs, Roofs)
                found, session.roofs = measure_against(
                    kernel, threads, session.roofs, session.limits.kernel_size, lambda: certificate.left_s
                )
                certificate.note("roofs", _roofs_found(session.roofs))
        except BudgetSpent:
            continue
        rows.append(document(found, session.roofs))
        session.keep(name, _kernels_found(session, wanted))
    return _kernels_found(session, wanted)


def _kernels_found(session: Session, wanted: Sequence[Kernel]) -> Finding:
    names = {kernel.name for kernel in wanted}
    rows = [row for row in session.kernel_rows if row["kernel"] in names]
    wrong = [f"{row['kernel']}: {row['problem']}" for row in rows if row["problem"]]
    if wrong:
        return Finding(FAILED, "; ".join(wrong)[:300], rows)
    verdict = PASSED if len(rows) == len(wanted) else LEFT_OUT
    return Finding(verdict, f"{len(rows)} of {len(wanted)} kernels timed, none above a roof", rows)


def water(session: Session) -> Finding:
    """Particle-sound-steps a second of a block of water, 8 particles a cell."""
    from bench.measure.scaling import water_block
    from bench.pipeline.simulate import Simulation

    session.await_modules()
    cells = session.limits.water_cells[session.on_gpu]
    while session.on_gpu and 8 * cells**3 * WATER_PARTICLE_BYTES > session.gpu.free_bytes():
        cells //= 2
    simulation = Simulation(water_block(cells), session.backend)
    simulation.advance_frame()
    samples_s: list[float] = []
    work = None
    for _ in range(session.limits.water_rounds):
        if session.late and samples_s:
            break
        before = session.backend.clock()
        work = simulation.advance_frame()
        samples_s.append(float(session.backend.clock() - before))
    assert work is not None
    rate = work.particle_sound_steps / (median(samples_s) or float("inf"))
    data = {
        "particle_count": work.particle_count,
        "substeps": work.substeps,
        "sound_steps": work.sound_steps,
        "samples_s": samples_s,
        "particle_sound_steps_per_s": rate,
        "graphs": session.backend.graph_problem or "used" if session.on_gpu else None,
    }
    return Finding(NOTED, f"{units.rate(rate, 'particle-sound-steps')}, {units.count(work.particle_count)}", data)
