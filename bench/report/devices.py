"""This machine and what can run on it, as the terminal shows them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from bench.backend.choose import BackendState
from bench.backend.limits import GpuUnused
from bench.base import units
from bench.base.console import console, plain
from bench.record import machine


def tell_unused(unused: GpuUnused | None) -> None:
    """Say on standard error, before anything is done, why a GPU that is there is not used."""
    if unused is not None:
        console(stderr=True).print(plain(unused.line), soft_wrap=True)


def show_devices(states: Sequence[BackendState]) -> None:
    """Print this machine, and each back-end: ready, or why not and what helps."""
    described = machine.describe()
    say = partial(console().print, soft_wrap=True)  # a terminal wraps, a pipe keeps the line
    cpu, memory = described["cpu"], described["memory"]
    quota, most = cpu["cgroup_quota_cores"], memory["cgroup_limit_bytes"]
    granted = f", the container grants {quota:g}" if quota else ""
    limit = f", the container grants {units.byte_size(most)}" if most else ""
    clock = f", {cpu['clock_hz'] * 1e-9:.2f} GHz now" if cpu["clock_hz"] else ""
    say(f"Machine  {plain(described['id'])}")
    say(f"CPU      {plain(cpu['model'] or units.UNKNOWN)}{clock}")
    say(f"         {cpu['affinity_cores']} of {cpu['logical_cores']} logical cores usable{granted}")
    say(f"         {plain(' '.join(cpu['isa'])) or 'vector units unknown'}")
    say(f"Memory   {units.byte_size(memory['total_bytes'])}{limit}")
    for card in described["gpus"]:
        say(
            f"GPU      {plain(card['model'])}, {units.byte_size(card['memory_bytes'])}, driver {plain(card['driver'])},"
            f" power limit {card['power_limit_w'] or units.UNKNOWN} W"
        )
        say(f"         {plain(card['uuid'] or 'UUID unknown')}")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    limited = f", CUDA_VISIBLE_DEVICES is {visible!r}" if visible is not None else ""
    if not described["gpus"]:
        say(f"GPU      none that an NVIDIA driver shows{plain(limited)}")
    elif limited:
        say(f"         those that this process may use{plain(limited)}")
    say(f"System   {plain(described['system']['name'])} {plain(described['system']['release'])}")
    say(f"Python   {described['python']['version']}, numba {described['libraries']['numba']}\n")
    for state in states:
        if state.available:
            say(f"back-end {state.name:6} ready: {plain(state.device)}")
            for gpu in state.gpus:
                capability = ".".join(str(part) for part in gpu.capability)
                say(f"                --device {gpu.index}: {plain(gpu.text)}, compute capability {capability}")
        else:
            say(f"back-end {state.name:6} cannot run: {plain(state.reason)}")
            say(f"                what helps: {plain(state.install or 'nothing known')}")
