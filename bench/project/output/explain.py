"""What a projection stands on: every number that was not measured with its source, and every fit with its error."""

from __future__ import annotations

from collections.abc import Sequence

from bench.project.inputs.assumptions import assumptions, facts
from bench.project.inputs.cluster import Cluster, ClusterSample, Range
from bench.project.model.answers import upload_s
from bench.project.model.graph import SPLIT_EFFICIENCY
from bench.project.model.scenario import Pair
from bench.project.output.result import Premise, Upload

GPU_ASSUMED = ("gpu_simulate", "gpu_trace", "gpu_other")
SPLIT_SOURCE = "assumption: 78 % in the base case, 50 to 95 %, where a simulation is spread over GPUs"


def stands_on(pairs: Sequence[Pair], cluster: Cluster) -> tuple[Premise, ...]:
    """Every number with its ends, unit and source, for --explain and --json."""
    measured = all(pair.gpu is not None for pair in pairs)
    fitted = all(pair.cpu.fitted for pair in pairs)
    lines: list[Premise] = []
    for a in assumptions().values():
        replaced = (a.name in GPU_ASSUMED and measured) or (a.name == "growth" and fitted)
        source = "not used: a record takes its place" if replaced else a.source
        lines.append(_line(a.name, a.text, a.unit, (a.fast, a.likely, a.slow), source))
    lines.append(
        _line("efficiency", "of a simulation spread over several GPUs", "share", SPLIT_EFFICIENCY[::-1], SPLIT_SOURCE)
    )
    for entry in cluster.entries():
        value = entry.value
        three = (value.low, value.likely, value.high) if isinstance(value, Range) else (value, value, value)
        lines.append(_line(f"cluster.{entry.name}", entry.meaning, entry.unit, three, entry.source))
    for pair in pairs:
        for one in filter(None, (pair.cpu, pair.gpu)):
            for name, stage in one.stages.items():
                low, high = min(stage.samples_s), max(stage.samples_s)
                text = f"{one.shot} {name} on {one.backend}, size {one.measured_size}, {len(stage.samples_s)} rounds"
                lines.append(_line("measured", text, "s", (low, stage.here_s, high), f"measured: {one.source}"))
                if stage.growth != 1.0:
                    text = (
                        f"{one.shot} {name} grows to size {one.size}; error of the growth {100.0 * stage.sigma:.0f} %"
                    )
                    same = (stage.growth, stage.growth, stage.growth)
                    lines.append(_line("growth", text, "x", same, stage.law))
    return tuple(lines)


def _line(name: str, text: str, unit: str, values: Sequence[float | str], source: str) -> Premise:
    low, likely, high = values
    return Premise(name, text, unit, low, likely, high, source)


def uploads(link_bytes: float, files: float, sample: ClusterSample) -> tuple[Upload, ...]:
    """Seconds over the link for a film's data, at the cluster's, 400 Gbit/s and 10 Gbit/s."""
    whole = facts()["film_data"]
    sent = (
        ("finished frames", link_bytes, files),
        (f"{whole['text']} ({whole['source']})", float(whole["value"]), 1.0),
    )
    return tuple(
        Upload(
            what=text,
            bytes=size,
            link_s=upload_s(size, count, sample),
            at_400_gbit_s=upload_s(size, count, sample, 400e9 / 8.0),
            at_10_gbit_s=upload_s(size, count, sample, 10e9 / 8.0),
        )
        for text, size, count in sent
    )
