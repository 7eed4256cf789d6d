"""Published claims against what the measurements give: consistent, not consistent, or cannot be told.

A verdict says what it rests on and what would have to be true. A range that was projected meets a claim when it
overlaps the range that the words leave open; where the words leave out what decides (the size of the shot, the GPU,
the number of passes), nothing can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bench.base import units
from bench.project.inputs.assumptions import claims, facts
from bench.project.inputs.defaults import FRAME_RATE
from bench.project.output.result import ClaimVerdict, Condition, Quantiles

CONSISTENT, NOT, UNKNOWN = "consistent", "not consistent", "cannot be told"
HOURS_A_YEAR = 365.25 * 24.0
ORDINARY_CORES = (8.0, 128.0)  # of a machine that one would call ordinary


class Judgement(NamedTuple):
    """What is said of one claim."""

    claimed: str
    found: str
    verdict: str
    why: str


@dataclass(frozen=True)
class ClaimInputs:
    """What claims are held against: quantiles over all shots that were projected, and the film's."""

    cpu_s: Quantiles  # the shot on the measured machine
    one_gpu_s: Quantiles
    frame_a_gpu_s: Quantiles  # one frame a GPU
    gpus_s: Quantiles  # on all GPUs asked for
    threads: int  # of the measured machine
    gpus: int
    film_gpu_hours: Quantiles  # every frame once
    passes: float  # how often every frame is made
    film_shots: int
    size: str  # of the shots
    gpu_measured: bool  # whether the GPU's speed is no assumption


def _value(name: str) -> float:
    return float(claims()[name]["value"])


def _fact(name: str) -> float:
    return float(facts()[name]["value"])


def _span(times: Quantiles) -> str:
    return units.brief_span(times.p10, times.p90)


def _meets(times: Quantiles, low: float, high: float) -> bool:
    first, last = times.p10, times.p90
    return first is not None and first <= high and (last is None or last >= low)


def _ordinary(p: ClaimInputs) -> Judgement:
    claim = claims()["shot_ordinary"]
    low, high = float(claim["low"]), float(claim["high"])
    first, last = p.cpu_s.p10, p.cpu_s.p90
    found = f"{_span(p.cpu_s)} on the {p.threads} threads measured here, size {p.size}"
    if first is None or last is None:
        return Judgement(units.brief_span(low, high), found, UNKNOWN, "the time on this machine is not known")
    cores = (first * p.threads / high, last * p.threads / low)
    fits = cores[0] <= ORDINARY_CORES[1] and cores[1] >= ORDINARY_CORES[0]
    text = f"true of a machine of {cores[0]:,.0f} to {cores[1]:,.0f} such cores"
    text += "" if fits else f"; ordinary is {ORDINARY_CORES[0]:.0f} to {ORDINARY_CORES[1]:.0f} (assumption)"
    return Judgement(units.brief_span(low, high), found, CONSISTENT if fits else NOT, text)


def _centre(p: ClaimInputs) -> Judgement:
    claim, ordinary = claims()["shot_centre"], claims()["shot_ordinary"]
    low, high = float(claim["low"]), float(claim["high"])
    frames = tuple(round(float(claims()["shot_length"][end]) * FRAME_RATE) for end in ("low", "high"))
    ratio = (float(ordinary["low"]) / high, float(ordinary["high"]) / low)
    found = f"{_span(p.frame_a_gpu_s)} one frame a GPU, {_span(p.gpus_s)} on {p.gpus:,}"
    verdict = CONSISTENT
    if not _meets(p.frame_a_gpu_s, 0.0, high):
        verdict = NOT
    elif not p.gpu_measured:
        verdict = UNKNOWN
    why = (
        f"{ratio[0]:.0f} to {ratio[1]:.0f} times faster is what {frames[0]} to {frames[1]} ordinary machines give with"
        f" one frame each: it does not take 1,000 GPUs, nor any"
    )
    if verdict == UNKNOWN:
        why += "; the GPU's speed is an assumption here"
    return Judgement(units.brief_span(low, high), found, verdict, why)


def _thousand(p: ClaimInputs) -> Judgement:
    held = _fact("card_hours") / (_fact("centre_gpus") * _fact("centre_years") * HOURS_A_YEAR)
    years = _value("production")
    ceiling = _value("gpus") * years * HOURS_A_YEAR
    found = f"1,000 GPUs for {years:g} years are {units.count(ceiling)} card-hours"
    why = (
        f"a peak, not the average: the centre delivered {units.count(_fact('card_hours'))} to all of its films"
        f" ({units.share(held)} of what its cards could)"
    )
    return Judgement("1,000 GPUs at once", found, CONSISTENT, why)


def _shots(p: ClaimInputs) -> Judgement:
    share = _value("share") * _value("shots")
    low, high = (hours and hours * p.passes for hours in (p.film_gpu_hours.p10, p.film_gpu_hours.p90))
    found = f"{units.count(low)} – {units.count(high)} GPU-hours for {p.film_shots:,} shots,"
    found += f" {p.passes:.2g} passes"
    ceiling = _fact("card_hours")
    scaled = (low or 0.0) * share / p.film_shots
    verdict = NOT if scaled > ceiling else UNKNOWN
    why = f"40 % are {share:,.0f} shots; the centre's {units.count(ceiling)} card-hours are the limit; passes decide"
    return Judgement("1,900 shots, over 40 % of them there", found, verdict, why)


def _station(p: ClaimInputs) -> Judgement:
    years, frames = _fact("film_station_years"), _fact("film_frames")
    hours = years * HOURS_A_YEAR / frames
    length = [float(claims()["shot_length"][end]) * FRAME_RATE for end in ("low", "high")]
    ordinary = [float(claims()["shot_ordinary"][end]) / 3600.0 for end in ("low", "high")]
    frame_h = (ordinary[0] / length[1], ordinary[1] / length[0])
    found = f"{hours:.0f} h a frame against {frame_h[0]:.1f} to {frame_h[1]:.1f} h in the claim of days"
    passes = (hours / frame_h[1], hours / frame_h[0])
    why = f"both are true when every frame was made {passes[0]:.0f} to {passes[1]:.0f} times"
    return Judgement(f"{years:g} years on one workstation", found, CONSISTENT, why)


def _flops(p: ClaimInputs) -> Judgement:
    area, centre = _value("capacity"), _fact("centre_flops")
    each = area / _value("gpus")
    found = f"{units.count(area / centre)} times the centre's own {units.count(centre)}flop/s"
    why = f"the region's, not the centre's: over 1,000 GPUs it would be {units.count(each)}flop/s each"
    return Judgement("113 EFLOP/s", found, NOT, why)


def _link(name: str, distance_m: float) -> Callable[[ClaimInputs], Judgement]:
    def judge(p: ClaimInputs) -> Judgement:
        there = 2.0 * distance_m / _fact("fibre")
        claimed = _value(name)
        fits = claimed >= 0.95 * there
        found = f"{units.seconds(there)} is light's way there and back in fibre"
        why = (
            "only as a round trip over a straight fibre"
            if fits
            else "one way, or over less than the distance told; latency does not matter for frames, bandwidth does"
        )
        return Judgement(units.seconds(claimed), found, CONSISTENT if fits else UNKNOWN, why)

    return judge


def _channel(p: ClaimInputs) -> Judgement:
    size, rate = _fact("film_data"), _value("channel") / 8.0
    found = f"{units.count(size)}B in {units.seconds(size / rate)}, at 10 Gbit/s in {units.seconds(size / 1.25e9)}"
    why = 'the report says "400-gigabyte"; read as 400 Gbit/s, shared by all'
    return Judgement("400 Gbit/s", found, UNKNOWN, why)


def _films(p: ClaimInputs) -> Judgement:
    each = _fact("card_hours") / _value("films")
    found = f"{units.count(each)} card-hours a film on average"
    once = p.film_gpu_hours.p50
    if once is None:
        return Judgement("over 150 films", found, UNKNOWN, "the film's GPU-hours are not known")
    return Judgement("over 150 films", found, UNKNOWN, f"this film once takes {units.count(once)} here; films differ")


VERDICTS_OF: dict[str, Callable[[ClaimInputs], Judgement]] = {
    "shot_ordinary": _ordinary,
    "shot_centre": _centre,
    "gpus": _thousand,
    "shots": _shots,
    "production": _station,
    "films": _films,
    "capacity": _flops,
    "channel": _channel,
    "link_hangzhou": _link("link_hangzhou", 1600e3),
    "link_south": _link("link_south", 1100e3),
}


def verdicts(p: ClaimInputs) -> tuple[ClaimVerdict, ...]:
    """One line a claim that something can be said about."""
    found = []
    for name, judge in VERDICTS_OF.items():
        claim = claims()[name]
        found.append(ClaimVerdict(name, claim["text"], *judge(p), claim["source"]))
    return tuple(found)


def conditions(p: ClaimInputs) -> tuple[Condition, ...]:
    """What would have to be true for "3 to 5 days became a few hours"."""
    ordinary, centre, length = (claims()[name] for name in ("shot_ordinary", "shot_centre", "shot_length"))
    low, high = float(ordinary["low"]) / float(centre["high"]), float(ordinary["high"]) / float(centre["low"])
    frames = [round(float(length[end]) * FRAME_RATE) for end in ("low", "high")]
    rows = [
        ("machines alone", f"{low:.0f} to {high:.0f} machines like the ordinary one, a frame each; a shot has"
         f" {frames[0]} to {frames[1]}, so no frame has to be split"),
        ("one GPU alone", f"a GPU worth {low:.0f} to {high:.0f} of the ordinary machines"),
        ("a frame a GPU", f"{frames[0]} to {frames[1]} GPUs, each worth {low / frames[1]:.2g} to"
         f" {high / frames[0]:.2g} of the ordinary machines: almost any"),
        ("1,000 GPUs on one shot", f"frames split into {1000 / frames[1]:.0f} to {1000 / frames[0]:.0f} tasks each, and"
         " a simulation chain of hours: without one it would be minutes"),
    ]  # fmt: skip
    ratio = _ratio(p)
    if ratio:
        rows.append(ratio)
    return tuple(Condition(*row) for row in rows)


def _ratio(p: ClaimInputs) -> tuple[str, str] | None:
    cpu, gpu = p.cpu_s.p50, p.one_gpu_s.p50
    if not cpu or not gpu:
        return None
    basis = "measured" if p.gpu_measured else "assumption"
    cores = cpu / gpu * p.threads
    return f"projected here ({basis})", f"one GPU of the cluster does the work of {cores:,.0f} of the cores measured"
