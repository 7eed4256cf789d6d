"""``shotmark devices``: what this machine has, and which back-ends can run."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

import click

from bench.backend.choose import BackendState, available_backends
from bench.base import units
from bench.base.console import console, plain
from bench.cli import options
from bench.record import machine


@click.command("devices")
@options.json
def command(as_json: bool) -> None:
    """Show this machine, and each back-end: ready, or why not and what to install."""
    described, states = machine.describe(), available_backends()
    if as_json:
        click.echo(json.dumps({"machine": described, "backends": [_state(s) for s in states]}, indent=1))
        return
    say = partial(console().print, soft_wrap=True)  # a terminal wraps, a pipe keeps the line
    cpu, memory = described["cpu"], described["memory"]
    clock = f", {cpu['clock_hz'] * 1e-9:.2f} GHz now" if cpu["clock_hz"] else ""
    say(f"Machine  {plain(described['id'])}")
    say(f"CPU      {plain(cpu['model'] or units.UNKNOWN)}{clock}")
    say(f"         {cpu['affinity_cores']} of {cpu['logical_cores']} logical cores usable{_quota(cpu)}")
    say(f"         {plain(' '.join(cpu['isa'])) or 'vector units unknown'}")
    say(f"Memory   {units.byte_size(memory['total_bytes'])}{_limit(memory)}")
    for gpu in described["gpus"]:
        say(
            f"GPU      {plain(gpu['model'])}, {units.byte_size(gpu['memory_bytes'])}, driver {plain(gpu['driver'])},"
            f" power limit {gpu['power_limit_w'] or units.UNKNOWN} W"
        )
    if not described["gpus"]:
        say("GPU      none that an NVIDIA driver shows")
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


def _state(state: BackendState) -> dict[str, object]:
    return {
        "name": state.name,
        "available": state.available,
        "device": state.device,
        "reason": state.reason,
        "install": state.install,
        "gpus": [asdict(gpu) for gpu in state.gpus],
    }


def _quota(cpu: dict[str, float | None]) -> str:
    return f", the container grants {cpu['cgroup_quota_cores']:g}" if cpu["cgroup_quota_cores"] else ""


def _limit(memory: dict[str, int | None]) -> str:
    limit = memory["cgroup_limit_bytes"]
    return f", the container grants {units.byte_size(limit)}" if limit else ""
