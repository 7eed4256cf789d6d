"""What is said of transfers, sound steps and dissipation stands on a comparison that still comes out so."""

from __future__ import annotations

import pytest

from tests.reference.blends import KEPT, TOGETHER, slosh_decay_per_s


@pytest.mark.slow
def test_fewer_transfers_keep_a_wave_however_many_steps_pressure_takes() -> None:
    apic, split = ([slosh_decay_per_s(8, times, together=together) for times in (1, 4)] for together in (1, TOGETHER))
    assert split[0] < 0.62 * apic[0]
    assert split[1] == pytest.approx(split[0], rel=0.1)
    assert apic[1] > 1.5 * apic[0]


@pytest.mark.slow
def test_keeping_the_particles_velocity_would_halve_a_wave_s_decay() -> None:
    apic, aflip = ([slosh_decay_per_s(8, times, kept) for times in (1, 4)] for kept in (0.0, KEPT))
    assert aflip[0] < 0.7 * apic[0]
    assert aflip[1] / aflip[0] < 0.7 * apic[1] / apic[0]
