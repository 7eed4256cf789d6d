"""What farm report says of runs that never were: figures, errors, faults, sessions, and what it refuses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.base.errors import EXIT_BAD_INPUT, UserError
from bench.cli.main import main
from bench.farm.report.actual import FIGURES
from bench.farm.report.compare import Report, report
from bench.farm.report.files import read_files
from bench.farm.report.table import as_document, markdown, show
from bench.project.backtest.farm_runs import kept_runs
from tests.bench.farm.report.made_up_run import AT_S, MadeUp, made_up_run


def reported(made: MadeUp, out: Path) -> Report:
    return report(read_files(made.write(out)))


def test_a_run_that_went_as_the_model_says(tmp_path: Path) -> None:
    made = made_up_run()
    found = reported(made, tmp_path)
    assert found.actual.outcome == "done" and found.actual.workers == 6 and not found.actual.faults
    assert found.line("makespan_s").actual == pytest.approx(made.makespan_s)
    for name in FIGURES:
        line = found.line(name)
        assert line.error == pytest.approx(-0.05, abs=0.01), name  # the projection is made 5 % too short
        assert line.held is True, name
    assert found.notes == ()


def test_an_interval_that_the_truth_missed(tmp_path: Path) -> None:
    made = made_up_run()
    made.projection["makespan_s"] = {"p10": 1.0, "p50": 2.0, "p90": 3.0}
    made.projection["chain_s"] = {"p10": None, "p50": None, "p90": None}
    found = reported(made, tmp_path)
    assert found.line("makespan_s").held is False and found.line("makespan_s").error == pytest.approx(
        2 / 26.3 - 1, abs=0.01
    )
    assert found.line("chain_s").held is None and found.line("chain_s").error is None


def test_faults_are_told(tmp_path: Path) -> None:
    found = reported(made_up_run(frames=24, losses=[(9.0, 1), (14.0, 0), (20.0, 5)]), tmp_path)
    # Frame 1 was lost twice, and the simulation once
    assert found.actual.faults == {"lost": 3} and found.actual.retried == 2
    assert any("3 lost; made again and done: 2" in note for note in found.notes)
    # The simulation was lost in the midst: what it had kept is in the manifest alone
    assert sum(one.kind == "simulate" for one in found.actual.made) == 24


def test_the_slowest_task_says_why(tmp_path: Path) -> None:
    made = made_up_run()
    for event in made.events:
        for one in event.get("made", []):
            if one["task"] == "render 2" and one["kind"] == "render":
                one["ended_s"] += 50.0
                one["trace_s"] += 50.0
    made.manifest["frames"] = {}
    found = reported(made, tmp_path).slowest
    assert found is not None and found.task == "render 2" and found.took_s > 50.0
    assert found.why.startswith("trace 5") and "over its projection" in found.why


def test_a_node_that_is_slow_altogether_is_named(tmp_path: Path) -> None:
    made = made_up_run(frames=24)
    for event in made.events:
        for one in event.get("made", []):
            if one["node"] == "gb2" and one["kind"] == "render":
                one["ended_s"] += 100.0
    made.manifest["frames"] = {}
    found = reported(made, tmp_path).slowest
    assert found is not None and found.node == "gb2" and "node gb2: its tasks take" in found.why


def test_a_run_that_was_taken_up_again(tmp_path: Path) -> None:
    made = made_up_run()
    half = len(made.events) // 2
    pause = {"event": "begin", "at_s": made.events[half]["at_s"] + 500.0, "site": "three"}
    stop = {"event": "end", "at_s": made.events[half - 1]["at_s"], "outcome": "stopped", "frames": 3}
    later = [shifted(event, 500.0) for event in made.events[half:]]
    made.events = [*made.events[:half], stop, pause, *later]
    made.manifest["frames"] = {}
    found = reported(made, tmp_path)
    assert found.line("makespan_s").actual == pytest.approx(made.makespan_s, abs=2.0)
    assert any("taken up again 1 times" in note for note in found.notes)
    # A projection that was made for the second session covers that alone
    made.projection["at_s"] = pause["at_s"] + 0.1
    found = reported(made, tmp_path)
    assert found.actual.sessions_before == 1 and found.actual.outcome == "done"
    assert (found.line("makespan_s").actual or 0.0) < 0.8 * made.makespan_s


def shifted(event: dict[str, Any], by_s: float) -> dict[str, Any]:
    """The same, later."""
    found = {k: v + by_s if k in MOMENTS and v is not None else v for k, v in event.items()}
    if "made" in found:
        found["made"] = [shifted(one, by_s) for one in found["made"]]
    return found


MOMENTS = ("at_s", "submitted_s", "begun_s", "ended_s", "returned_s")


def test_a_run_that_was_broken_off_has_no_makespan(tmp_path: Path) -> None:
    made = made_up_run()
    made.events.pop()
    found = reported(made, tmp_path)
    assert found.line("makespan_s").actual is None and found.line("render_s").actual
    assert any("did not come to its end (broken off)" in note for note in found.notes)


def test_a_cut_last_line_and_events_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    made = made_up_run()
    made.events.insert(3, {"event": "weather", "at_s": AT_S})
    reported(made, tmp_path)
    log = tmp_path / "farm" / "log.jsonl"
    log.write_text(log.read_text() + '{"event": "task", "at_')
    (tmp_path / "manifest.json").unlink()
    notes = report(read_files(tmp_path)).notes
    assert any("1 line of log.jsonl that a run had begun when it was killed" in note for note in notes)
    assert any("1 lines of log.jsonl are of events" in note for note in notes)
    assert any("there is no manifest.json yet" in note for note in notes)


def test_a_line_that_a_killed_run_had_begun_stands_before_the_next_begin(tmp_path: Path) -> None:
    made_up_run().write(tmp_path)
    log = tmp_path / "farm" / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    again = json.dumps({"event": "begin", "at_s": AT_S + 100.0, "site": "three"}) + "\n"
    log.write_text("".join(lines) + '{"event": "ta\n' + again)
    assert any("had begun when it was killed" in note for note in report(read_files(tmp_path)).notes)
    log.write_text("".join([*lines[:3], '{"event": "ta\n', *lines[3:]]))
    with pytest.raises(UserError, match=r"log\.jsonl: line 4: expected a JSON object"):
        read_files(tmp_path)


def change_event(kind: str, key: str, value: object) -> Callable[[MadeUp], None]:
    def change(made: MadeUp) -> None:
        next(event for event in made.events if event["event"] == kind)[key] = value

    return change


def change_projection(key: str, value: object) -> Callable[[MadeUp], None]:
    return lambda made: made.projection.update({key: value})


def no_begin(made: MadeUp) -> None:
    made.events = [event for event in made.events if event["event"] != "begin"]


WRONG: dict[str, tuple[Callable[[MadeUp], object], str]] = {
    "a begin without a time": (lambda m: m.events[0].pop("at_s"), "log.jsonl: line 1: at_s: expected a value"),
    "a time of text": (change_event("end", "at_s", "now"), "at_s: expected a number from 0"),
    "another outcome": (change_event("end", "outcome", "fine"), 'outcome: expected one of "done", "stopped", "failed"'),
    "a task of another kind": (change_event("task", "kind", "paint"), 'kind: expected one of "simulate"'),
    "made that is no list": (change_event("task", "made", "x"), "made: expected a list"),
    "a node that paints": (change_event("worker", "node", "\x1b[31m"), "node: expected text of 1 to 120"),
    "no begin": (no_begin, 'log.jsonl: expected an event "begin", found none'),
    "no event": (
        lambda m: m.events.insert(0, {"at_s": 1.0}),
        "line 1: event: expected one of begin, worker",
    ),
    "no site": (lambda m: m.projection.pop("site"), "projection.json: site: expected a value"),
    "no workers": (change_projection("workers", 0), "projection.json: workers: expected a whole number from 1"),
    "no interval": (change_projection("makespan_s", 3.0), "projection.json: makespan_s: expected a table"),
    "frames of text": (change_projection("frames", ["1"]), "projection.json: frames[0]: expected a whole number"),
    "a projection from after the end": (change_projection("at_s", AT_S + 1e6), "expected one that was written before"),
    "a manifest of lists": (
        lambda m: m.manifest.update(frames=[]),
        "manifest.json: frames: expected a table of frames",
    ),
    "made of numbers": (
        lambda m: m.manifest["frames"]["1"].update(made=[3]),
        "manifest.json: frames.1.made: expected a list of tables",
    ),
    "made without a node": (
        lambda m: m.manifest["frames"]["1"].update(made=[{"task": "x", "kind": "render"}]),
        "manifest.json: frames.1.made[0].node: expected a value",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(name: str, tmp_path: Path) -> None:
    made = made_up_run(frames=2)
    change, expected = WRONG[name]
    change(made)
    with pytest.raises(UserError) as found:
        reported(made, tmp_path)
    text = str(found.value)
    assert expected in text and text.isprintable() and len(text) < 600


def test_hostile_files_are_one_line(tmp_path: Path) -> None:
    made_up_run(frames=2).write(tmp_path)
    generator, refused = random.Random(7), 0
    for name in ("farm/log.jsonl", "farm/projection.json", "manifest.json"):
        path = tmp_path / name
        whole = path.read_bytes()
        cases = [b"", b"\0" * 50, b"[" * 50_000 + b"\n", b'{"event": 1e999}\n', b"\xff\n", whole[:-100] + b"\n"]
        for _ in range(40):
            cut = bytearray(whole)
            for _ in range(3):
                cut[generator.randrange(len(cut))] = generator.randrange(256)
            cases.append(bytes(cut))
        for content in cases:
            path.write_bytes(content)
            try:
                found = report(read_files(tmp_path))
                assert markdown(found) and list(show(found))
            except UserError as error:
                refused += 1
                assert len(str(error).splitlines()) == 1
        path.unlink()
        path.mkdir()
        with pytest.raises(UserError):
            read_files(tmp_path)
        path.rmdir()
        path.write_bytes(whole)
    assert refused > 60


def farm_report(*words: str) -> Result:
    return CliRunner().invoke(main, ["farm", "report", *words])


def test_the_command_prints_and_keeps(tmp_path: Path) -> None:
    out = made_up_run().write(tmp_path / "out")
    done = farm_report(str(out), "--keep", "--results", str(tmp_path / "results"), "--drawing", str(tmp_path / "d.svg"))
    assert done.exit_code == 0, done.output
    assert "Projected against actual" in done.stdout and "makespan" in done.stdout and "kept" in done.stderr
    (run,) = kept_runs(tmp_path / "results")
    assert (run.shot, run.frames, run.workers, run.began) == ("wave", 12, 6, "2026-09-21T14:13:20+00:00")
    assert run.projected.makespan_s.p50 == pytest.approx(0.95 * run.actual.makespan_s, rel=1e-6)
    assert (tmp_path / "d.svg").read_text().startswith("<svg")
    # Twice is once; another run in its place is refused
    assert farm_report(str(out), "--keep", "--results", str(tmp_path / "results")).exit_code == 0
    assert len(kept_runs(tmp_path / "results")) == 1
    made_up_run(frames=13).write(out)
    again = farm_report(str(out), "--keep", "--results", str(tmp_path / "results"))
    assert again.exit_code == EXIT_BAD_INPUT and "the same run" in again.stderr


def test_json_and_markdown(tmp_path: Path) -> None:
    out = made_up_run(losses=[(9.0, 1)]).write(tmp_path)
    made = json.loads(farm_report(str(out), "--json").stdout)
    assert made == json.loads(json.dumps(as_document(report(read_files(out)))))
    assert made["figures"]["makespan_s"]["in_interval"] is True and made["faults"] == {"lost": 1}
    text = farm_report(str(out), "--markdown").stdout
    assert "| makespan |" in text and text.count("|---|") == 1


@pytest.mark.parametrize(
    "words, expected",
    [
        (("nowhere",), "nowhere: expected the folder of a farm run"),
        ((".", "--json", "--markdown"), "--json, --markdown: expected one of them"),
        ((".", "--drawing", "x.png"), "x.png: expected a name that ends in .svg"),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], expected: str) -> None:
    done = farm_report(*words)
    assert done.exit_code == EXIT_BAD_INPUT and expected in done.stderr


def test_only_a_run_that_ended_and_was_foretold_before_is_kept(tmp_path: Path) -> None:
    made = made_up_run()
    made.projection["at_s"] = AT_S + 20.0
    late = farm_report(str(made.write(tmp_path / "late")), "--keep", "--results", str(tmp_path))
    assert late.exit_code == EXIT_BAD_INPUT and "expected a projection from before the first task" in late.stderr
    made = made_up_run()
    made.events[-1]["outcome"] = "stopped"
    stopped = farm_report(str(made.write(tmp_path / "stopped")), "--keep", "--results", str(tmp_path))
    assert stopped.exit_code == EXIT_BAD_INPUT and "came to its end, this one is stopped" in stopped.stderr
