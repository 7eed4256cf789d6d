"""What fewer transfers save of a wave, and what one that keeps the particles' own velocity would; in two dimensions.

``python -m tests.reference.blends`` prints the decay of a sloshing wave, 12 cells deep, with one, two and four times
the pressure steps. APIC: each is a whole substep, in which the grid's velocity replaces the particle's. Sound steps:
what the kernels do; momentum is transferred and particles are moved SUBSTEPS / TOGETHER times a frame, however many
steps pressure takes meanwhile, in which particles stand still. AFLIP (Fei et al. 2021,
"Revisiting integration in the material point method") gives a particle the grid's change besides a share of its own
velocity, here KEPT per unit of time whatever the substep is, and needs the grid's velocity before forces too: seven
sums a node in P2G instead of four, six values a node in G2P instead of three.
"""

from __future__ import annotations

import numpy as np
from numba import njit

G, LENGTH, DEPTH, AMPLITUDE, SOUND = 9.81, 1.0, 0.5, 0.03, 22.0  # m/s^2, m, m, m, m/s
FRAME_S, SUBSTEPS, WALL = 0.02, 20, 4
TOGETHER = 4  # pressure steps of a transfer, of SUBSTEPS a frame
KEPT = 0.9  # share of a particle's own velocity over one substep of SUBSTEPS a frame
DENSITY = 1000.0


@njit(error_model="numpy")
def _weights(at):
    """(lowest node, place in cells from it, three quadratic B-spline weights)."""
    base = int(at - 0.5)
    f = at - base
    return base, f, np.array([0.5 * (1.5 - f) ** 2, 0.75 - (f - 1.0) ** 2, 0.5 * (f - 0.5) ** 2])


@njit(error_model="numpy")
def _push(x, ratio, push, cell, dt):
    """What pressure gives to nodes in one step."""
    push[:] = 0.0
    volume, bulk = cell * cell / 4.0, DENSITY * SOUND * SOUND / 7.0
    for p in range(len(x)):
        i0, f0, w0 = _weights(x[p, 0] / cell)
        k0, f1, w1 = _weights(x[p, 1] / cell)
        force = dt * 4.0 / (cell * cell) * volume * ratio[p] * max(bulk * (ratio[p] ** -7 - 1.0), 0.0)
        for i in range(3):
            for k in range(3):
                push[i0 + i, k0 + k, 0] += w0[i] * w1[k] * force * (i - f0) * cell
                push[i0 + i, k0 + k, 1] += w0[i] * w1[k] * force * (k - f1) * cell


@njit(error_model="numpy")
def _gather(x, p, node, cell):
    """(velocity, gradient) of a particle."""
    i0, f0, w0 = _weights(x[p, 0] / cell)
    k0, f1, w1 = _weights(x[p, 1] / cell)
    new, gradient = np.zeros(2), np.zeros(4)
    for i in range(3):
        for k in range(3):
            w, dx, dz = w0[i] * w1[k], (i - f0) * cell, (k - f1) * cell
            for e in range(2):
                new[e] += w * node[i0 + i, k0 + k, e]
                gradient[2 * e] += w * node[i0 + i, k0 + k, e] * dx * 4.0 / (cell * cell)
                gradient[2 * e + 1] += w * node[i0 + i, k0 + k, e] * dz * 4.0 / (cell * cell)
    return new, gradient


@njit(error_model="numpy")
def _substep(x, v, c, ratio, mass, before, node, push, cell, dt, kept, together):
    """One transfer of MLS-MPM in float64, ``together`` pressure steps of dt in which particles stand still, their move.

    ``before`` and ``node`` are the nodes' velocities without and with forces.
    """
    mass[:], before[:] = 0.0, 0.0
    own = DENSITY * cell * cell / 4.0
    nx, nz = mass.shape
    for p in range(len(x)):
        i0, f0, w0 = _weights(x[p, 0] / cell)
        k0, f1, w1 = _weights(x[p, 1] / cell)
        for i in range(3):
            for k in range(3):
                w, dx, dz = w0[i] * w1[k], (i - f0) * cell, (k - f1) * cell
                mass[i0 + i, k0 + k] += w * own
                before[i0 + i, k0 + k, 0] += w * own * (v[p, 0] + c[p, 0] * dx + c[p, 1] * dz)
                before[i0 + i, k0 + k, 1] += w * own * (v[p, 1] + c[p, 2] * dx + c[p, 3] * dz)
    for i in range(nx):
        for k in range(nz):
            if mass[i, k] > 0.0:
                before[i, k] /= mass[i, k]
    node[:] = before
    for _ in range(together):
        _push(x, ratio, push, cell, dt)
        for i in range(nx):
            for k in range(nz):
                if mass[i, k] > 0.0:
                    node[i, k] += push[i, k] / mass[i, k]
                    node[i, k, 1] -= dt * G
                    if (i <= WALL and node[i, k, 0] < 0.0) or (i >= nx - 1 - WALL and node[i, k, 0] > 0.0):
                        node[i, k, 0] = 0.0
                    if k <= WALL and node[i, k, 1] < 0.0:
                        node[i, k, 1] = 0.0
        for p in range(len(x)):
            _, c[p] = _gather(x, p, node, cell)
            ratio[p] = min(max(ratio[p] * (1.0 + dt * (c[p, 0] + c[p, 3])), 0.5), 1.01)
    for p in range(len(x)):
        new, _ = _gather(x, p, node, cell)
        old, _ = _gather(x, p, before, cell)
        v[p] = new + kept * (v[p] - old)
        x[p, 0] = min(max(x[p, 0] + together * dt * new[0], (WALL + 0.001) * cell), (nx - 1.001 - WALL) * cell)
        x[p, 1] = max(x[p, 1] + together * dt * new[1], (WALL + 0.001) * cell)


@njit(error_model="numpy")
def _frame(x, v, c, ratio, mass, before, node, push, cell, dt, kept, together, steps):
    for _ in range(steps // together):
        _substep(x, v, c, ratio, mass, before, node, push, cell, dt, kept, together)


def slosh_decay_per_s(cells_deep: int, times: int, kept: float = 0.0, together: int = 1, seconds: float = 4.0) -> float:
    """Decay (1/s) of the first sloshing mode's amplitude, with ``times`` the pressure steps.

    ``kept`` 0 is APIC, ``together`` how many of SUBSTEPS pressure steps a frame share a transfer.
    """
    from scipy.optimize import curve_fit

    cell = DEPTH / cells_deep
    axes = [(np.arange(int(n * 2 * cells_deep)) + 0.5) * cell / 2 for n in (2.0, 1.2)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    points += np.random.default_rng(0).uniform(-0.175, 0.175, points.shape) * cell / 2
    surface = DEPTH + AMPLITUDE * np.cos(np.pi * points[:, 0] / LENGTH)
    points, surface = points[points[:, 1] < surface], surface[points[:, 1] < surface]
    ratio = (1.0 + 7.0 * G * (surface - points[:, 1]) / SOUND**2) ** (-1.0 / 7.0)
    shape = 2 * cells_deep + 2 * WALL + 1, int(1.5 * cells_deep) + 3 * WALL
    x, v, c = points + WALL * cell, np.zeros_like(points), np.zeros((len(points), 4))
    grid = np.zeros(shape), *(np.zeros((*shape, 2)) for _ in range(3))
    steps, means = SUBSTEPS * times, []
    shared = together * times if together > 1 else 1
    for _ in range(round(seconds / FRAME_S)):
        _frame(x, v, c, ratio, *grid, cell, FRAME_S / steps, kept ** (1.0 / times), shared, steps)
        means.append(x[:, 0].mean())
    t, mean = FRAME_S * np.arange(1, len(means) + 1), np.array(means) - np.mean(means)

    def damped(t, size, decay, period, phase, offset):  # type: ignore[no-untyped-def]
        return size * np.exp(-decay * t) * np.cos(2 * np.pi * t / period + phase) + offset

    return float(curve_fit(damped, t, mean, p0=[mean.max(), 0.1, 1.18, 0.0, 0.0])[0][1])


def main() -> None:
    for name, kept, together in (("APIC", 0.0, 1), ("AFLIP", KEPT, 1), ("sound steps", 0.0, TOGETHER)):
        decays = [slosh_decay_per_s(12, times, kept, together, 6.0) for times in (1, 2, 4)]
        print(f"{name:12}", "  ".join(f"x {times}: {decay:.3f} 1/s" for times, decay in zip((1, 2, 4), decays)))


if __name__ == "__main__":
    main()
