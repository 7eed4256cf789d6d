"""Shots by name or path: a TOML file, read strictly, as frozen models."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.base.errors import UserError
from bench.shot.problem import Problem

if TYPE_CHECKING:
    from bench.shot.schema import ShotFile, Size

SHOTS = Path(__file__).parent / "shots"
FILE_BYTES_MAX = 1_000_000

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One shot: what its file says, and where that file is."""

    path: str
    file: ShotFile

    @property
    def name(self) -> str:
        return self.file.shot.name

    @property
    def title(self) -> str:
        return self.file.shot.title

    @property
    def sizes(self) -> dict[str, Size]:
        """Size names in rising order."""
        return self.file.size

    @property
    def frames(self) -> int:
        return self.file.shot.frames

    def definition(self) -> dict[str, object]:
        """What the file says as plain tables, lists and values under its own keys; absent keys with their defaults."""
        return self.file.model_dump(mode="json", by_alias=True)

    def with_sizes(self, sizes: dict[str, Size]) -> Shot:
        """The same shot at other sizes, which may have any names."""
        return replace(self, file=self.file.model_copy(update={"size": sizes}))

    def size(self, name: str) -> Size:
        """The named size; raises UserError with the sizes that there are."""
        if name not in self.file.size:
            has = ", ".join(self.file.size)
            raise UserError(f"--size: expected one of {has}, the sizes of {self.path}, got {shown(name)!r}")
        return self.file.size[name]


def shot_names() -> tuple[str, ...]:
    """Names of the shots that ship, found by scanning."""
    return tuple(sorted(path.stem for path in SHOTS.glob("*.toml")))


def load_shot(name_or_path: str | Path) -> Shot:
    """The shot of that name, or of that file. Raises UserError: one line with file, key and what was expected."""
    given = shown(os.fspath(name_or_path))
    return Shot(path=given, file=parse_shot(read_text(named_file(name_or_path, SHOTS), given), given))


def named_file(name_or_path: str | Path, folder: Path) -> Path:
    """The file of that name in ``folder``, or of that path. Raises UserError with the names that there are."""
    given = os.fspath(name_or_path)
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if given in known:
        return folder / f"{given}.toml"
    if given.endswith(".toml") or os.sep in given or (os.altsep and os.altsep in given):
        return Path(given)
    raise UserError(f"{shown(given)}: expected one of {', '.join(known)}, or the path of a .toml file")


def parse_shot(text: str, path: str) -> ShotFile:
    """What a file's text says; raises UserError."""
    from bench.shot.extent import validate_extent
    from bench.shot.runnable import validate_runnable
    from bench.shot.schema import ShotFile
    from bench.shot.table import validate

    def read(table: dict[str, object]) -> ShotFile:
        shot = validate(ShotFile, table)
        validate_extent(shot)
        validate_runnable(shot)
        return shot

    return read_toml(text, path, read)


def read_toml(text: str, path: str, read: Callable[[dict[str, object]], Made]) -> Made:
    """What ``read`` makes of a file's tables; raises UserError where it raises Problem, or the text is no TOML."""
    if not text.strip():
        raise UserError(f"{path}: the file: expected TOML tables, got an empty file")
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise UserError(f"{path}: the file: expected TOML, got {shown(str(error))}") from None
    except RecursionError:
        raise UserError(f"{path}: the file: expected TOML, got brackets nested too deeply") from None
    try:
        return read(table)
    except Problem as problem:
        raise UserError(f"{path}: {problem}") from None


def read_text(path: Path, name: str) -> str:
    """The text of a file that a user named; raises UserError where it is not a readable file of moderate size."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # before opening: a pipe would wait for its writer
            raise UserError(f"{name}: the file: expected a regular file, got a device or a pipe")
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except IsADirectoryError:
        raise UserError(f"{name}: the file: expected a TOML file, got a folder") from None
    except FileNotFoundError:
        raise UserError(f"{name}: the file: expected a TOML file, got nothing (no such file)") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a path that cannot be opened"
        raise UserError(f"{name}: the file: expected a readable TOML file, got {reason}") from None
    if len(data) > FILE_BYTES_MAX:
        raise UserError(f"{name}: the file: expected at most {FILE_BYTES_MAX} bytes, got more")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: the file: expected UTF-8, got another byte at offset {error.start}") from None


def shown(text: str) -> str:
    """One printable line of a name that came from outside."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return line if len(line) <= 200 else line[:197] + "..."
