"""What is said of the price of less dissipation stands on a comparison that still comes out so."""

from __future__ import annotations

import pytest

from tests.reference.blends import KEPT, slosh_decay_per_s


@pytest.mark.slow
def test_keeping_the_particles_velocity_would_halve_a_wave_s_decay() -> None:
    apic, aflip = ([slosh_decay_per_s(8, times, kept) for times in (1, 4)] for kept in (0.0, KEPT))
    assert aflip[0] < 0.7 * apic[0]
    assert aflip[1] / aflip[0] < 0.7 * apic[1] / apic[0]
