"""Files that are whole or not there, and JSON that may come from anybody."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.base.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]
TEMPORARY_PREFIX = ".shotmark-"
FILE_SIZE_MAX = 32 * 2**20  # bytes
SHA256 = re.compile(r"[0-9a-f]{64}")


def default_results() -> Path:
    """``results/`` of the checkout that runs, or of the working folder where Shotmark is installed as a package."""
    return (CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd()) / "results"


@contextlib.contextmanager
def whole_file(path: Path, *, on_disk: bool = True, suffix: str = ".tmp") -> Iterator[Path]:
    """A temporary path beside ``path``; it takes the name when the block ends well.

    The old file stays untouched until then. Whatever ends the block early removes what it had begun, and an OSError
    (full disk, no rights) names ``path``. With ``on_disk`` the file outlasts a power cut; without, nothing waits for
    the disk: for what can be made again. ``suffix`` is the temporary one's, for a writer that goes by it.
    """
    temporary = path.with_name(_temporary_name(suffix))
    try:
        yield temporary
        if on_disk:
            with open(temporary, "r+b") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # the reader knows the file, not our temporary name
        raise
    if on_disk:
        _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``, all of it or nothing, and wait until it is on the disk. Raises OSError."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def _temporary_name(suffix: str = ".tmp") -> str:
    return f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    """Create a folder that can be written to, or raise UserError in one line."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / _temporary_name()
        probe.touch()
        probe.unlink(missing_ok=True)  # whoever has the folder may sweep it just now
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder}: expected a folder") from None
    except PermissionError:
        raise UserError(f"{folder}: this folder cannot be written to") from None
    except OSError as error:
        error.filename = str(folder)  # the reader knows the folder, not our temporary name
        raise


def dump(document: Mapping[str, object]) -> bytes:
    """The document as UTF-8 JSON without NaN; raises ValueError on one."""
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def load_json(path: Path, size_max: int = FILE_SIZE_MAX) -> Any:
    """Read JSON from a file that may be anything; raises UserError in one line."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path}: expected a regular file")
        if found.st_size > size_max:
            raise UserError(f"{path}: expected at most {size_max} bytes, it has {found.st_size}")
        with open(path, "rb") as file:
            content = file.read(size_max + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise UserError(f"{str(path)!r}: expected a path") from None
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno}: expected JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:100]
        raise UserError(f"{path}: expected JSON with finite numbers ({reason})") from None
