"""A test that a system cannot run is left out there, with the reason, and does not fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import has, pytest_runtest_setup


def item(*names: str) -> Any:
    return SimpleNamespace(iter_markers=lambda name: [pytest.mark.needs(*names).mark] if name == "needs" else [])


def test_what_a_system_has_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    pytest_runtest_setup(item("os.getcwd", Path(sys.executable).name))
    monkeypatch.delattr(os, "fork", raising=False)
    for name in ("os.fork", "no_such_module.word", "no-such-program"):
        assert not has(name)
        with pytest.raises(pytest.skip.Exception, match=f"^this system has no {name}$"):
            pytest_runtest_setup(item("os.getcwd", name))
