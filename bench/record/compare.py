"""Two measurements side by side: stage by stage, both absolute times, and a ratio only where both did the same work.

A ratio is withheld, and the reason is given, where one side did not verify, where the work differs, or where the
outputs differ. Absolute times are shown in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.base.errors import UserError
from bench.record.read import Tell, find_record, list_records
from bench.record.schema import INCOMPLETE, STAGES, TOTALS, Record, Row
from bench.record.statistics import Ratio, Summary, ratio_of_medians, summarize, verdict

NO_RATIO = Ratio(None, None, None)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the rows of one back-end in one record."""

    record: Record
    backend: str
    threads: int | None = None  # where the record has the back-end with several numbers of threads

    @property
    def name(self) -> str:
        """Short text that tells the sides apart."""
        threads = f" {self.threads} thread{'s' if self.threads != 1 else ''}" if self.threads else ""
        return f"{self.record.path.name[:4]} {self.backend}{threads}"

    def rows(self) -> list[Row]:
        return [row for row in self.record.rows if row.backend == self.backend and self.threads in (None, row.threads)]

    @property
    def all_threads(self) -> int | list[int] | None:
        """How many CPU threads: the number where it is one; None on a GPU."""
        threads = sorted({row.threads for row in self.rows() if row.threads is not None})
        return threads[0] if len(threads) == 1 else threads or None

    @property
    def remark(self) -> str | None:
        """What has to be known of the record beside its figures; None where its run came to its end."""
        return None if self.record.complete else INCOMPLETE

    def as_dict(self) -> dict[str, object]:
        return {
            "record": str(self.record.path),
            "machine": self.record.machine_id,
            "commit": self.record.commit,
            "clean": self.record.clean,
            "complete": self.record.complete,
            "remark": self.remark,
            "time": self.record.time,
            "backend": self.backend,
            "threads": self.all_threads,
        }


@dataclass(frozen=True)
class Line:
    """One stage of one shot on both sides."""

    shot: str
    size: str
    stage: str
    a: Summary | None  # None: this side has no such row
    b: Summary | None
    ratio: Ratio  # a's time over b's: 2 means b is twice as fast
    verdict: str | None  # of a against b: faster, slower, same, unclear; None without a ratio
    why_not: str | None  # why there is no ratio


def why_no_ratio(a: Row | None, b: Row | None) -> str | None:
    """The reason that forbids a ratio, or None where it is allowed."""
    if a is None or b is None:
        return f"only {'B' if a is None else 'A'} has it"
    unproved = [name for name, row in (("A", a), ("B", b)) if row.verified is None]
    if unproved:
        return f"{' and '.join(unproved)} not verified"
    if a.frame != b.frame:
        return f"other frames: {a.frame} and {b.frame}"
    if a.work_sha256 is None or b.work_sha256 is None:
        return "the work is not known"
    if a.work_sha256 != b.work_sha256:
        differing = [name for name in sorted({*a.work, *b.work}) if a.work.get(name) != b.work.get(name)]
        return f"other work: {', '.join(differing[:3]) or 'manifest'} differ{'s' if len(differing) == 1 else ''}"
    for what, x, y in (
        ("state", a.state_sha256, b.state_sha256),
        ("picture", a.picture_sha256, b.picture_sha256),
    ):
        if x is None or y is None:
            return f"the {what}'s hash is not known"
        if x != y:
            return f"other output: the {what}s' SHA-256 differ"
    return None


def compare_rows(a: Row | None, b: Row | None) -> Line:
    """One line of the comparison; at least one row is given."""
    row = a or b
    assert row is not None
    why_not = why_no_ratio(a, b)
    ratio = NO_RATIO
    if why_not is None and a is not None and b is not None:
        ratio = ratio_of_medians(a.samples_s, b.samples_s)
    return Line(
        shot=row.shot,
        size=row.size,
        stage=row.stage,
        a=summarize(a.samples_s) if a else None,
        b=summarize(b.samples_s) if b else None,
        ratio=ratio,
        verdict=verdict(ratio) if ratio.ratio is not None else None,
        why_not=why_not,
    )


def compare(a: Side, b: Side) -> list[Line]:
    """Every stage of every shot that either side has, in the order of A, then what only B has."""
    left, right = ({row.key: row for row in side.rows()} for side in (a, b))
    order = {stage: index for index, stage in enumerate((*STAGES, *TOTALS))}
    shots: dict[tuple[str, str], None] = dict.fromkeys((key[0], key[1]) for key in (*left, *right))
    keys = [
        key
        for shot in shots
        for key in sorted({k for k in (*left, *right) if (k[0], k[1]) == shot}, key=lambda k: order[k[2]])
    ]
    return [compare_rows(left.get(key), right.get(key)) for key in keys]


def sides_of(record: Record) -> list[Side]:
    """The back-ends that a record holds, CPU first, and of one back-end the one with most threads first."""
    found: dict[str, set[int | None]] = {}
    for row in record.rows:
        found.setdefault(row.backend, set()).add(row.threads)
    sides = []
    for backend in sorted(found, key=lambda name: (name != "numba", name)):
        threads = sorted(found[backend], key=lambda n: -(n or 0))
        sides += [Side(record, backend, n) for n in threads] if len(threads) > 1 else [Side(record, backend)]
    return sides


def pairs_of(record: Record) -> list[tuple[Side, Side]]:
    """CPU against GPU, once for each number of threads that the CPU was measured with; else all against the first."""
    sides = sides_of(record)
    last = [side for side in sides if side.backend != sides[0].backend]
    if last:
        return [(side, last[0]) for side in sides if side.backend == sides[0].backend]
    return [(sides[0], side) for side in sides[1:]]


def choose(records: Iterable[Record]) -> tuple[Side, Side]:
    """CPU against GPU of the newest run that has both; otherwise the two newest runs. Raises UserError."""
    usable = [record for record in records if record.rows]
    for record in reversed(usable):
        pairs = pairs_of(record)
        if pairs and pairs[0][0].backend != pairs[0][1].backend:
            return pairs[0]
    if len(usable) < 2:
        raise UserError(f"two records are needed, {len(usable)} can be read: shotmark run makes one")
    return sides_of(usable[-2])[0], sides_of(usable[-1])[0]


def find_sides(a: str | None, b: str | None, results: Path, tell: Tell = lambda line: None) -> tuple[Side, Side]:
    """The sides that two names stand for, chosen where there are none.

    Told of each file left out, and of names that fit several. Raises UserError where there is nothing to compare.
    """
    if a is None:
        records, unreadable = list_records(results)
        for line in unreadable:
            tell(f"left out: {line}")
        return choose(records)
    record = find_record(a, results, tell)
    first = sides_of(record)
    if b is None:
        if len(first) < 2:
            raise UserError(
                f"{a}: one record is compared with itself only where it has two back-ends; name a second one"
            )
        return pairs_of(record)[0]
    second = sides_of(find_record(b, results, tell))
    for name, sides in ((a, first), (b, second)):
        if not sides:
            raise UserError(f"{name}: no row in it verified, there is nothing to compare")
    return first[0], second[0]
