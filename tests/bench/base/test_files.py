"""Files that are whole or not there, whoever writes them and whatever ends the writing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bench.base.files import make_folder, whole_file


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"old")
    with whole_file(path, on_disk=on_disk, suffix=path.suffix) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".mp4" and temporary.name.startswith(".")
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["movie.mp4"]
    assert len(synced) == (2 if on_disk else 0)  # the file and its folder


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full", "else"), KeyboardInterrupt(), RuntimeError("no")])
def test_whatever_ends_the_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.json"]
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(path)


def test_a_read_only_file_system_names_the_folder_not_a_file_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(OSError, match="Read-only") as caught:
        make_folder(tmp_path)
    assert caught.value.filename == str(tmp_path)
