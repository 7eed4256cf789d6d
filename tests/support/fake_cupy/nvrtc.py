"""NVRTC of a CuPy without a device: the "cubin" is the text that was compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.fake_cupy.errors import NvrtcError

if TYPE_CHECKING:
    from tests.support.fake_cupy import FakeCupy


@dataclass
class FakeNvrtc:
    cupy: FakeCupy
    NVRTCError: Any = NvrtcError
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def getVersion(self) -> tuple[int, int]:
        if self.cupy.nvrtc_version is None:
            raise RuntimeError("libnvrtc.so.12: cannot open shared object file")
        return self.cupy.nvrtc_version

    def getSupportedArchs(self) -> tuple[int, ...]:
        return self.cupy.architectures

    def createProgram(self, src: str, name: str, headers: Any, include_names: Any) -> list[Any]:
        assert isinstance(src, str) and not headers and not include_names
        return [src, name]

    def compileProgram(self, prog: list[Any], options: tuple[str, ...]) -> None:
        self.calls.append((prog[1], options))
        if self.cupy.compile_log:
            raise NvrtcError("NVRTC_ERROR_COMPILATION (6)")

    def getProgramLog(self, prog: list[Any]) -> str:
        return self.cupy.compile_log

    def getCUBIN(self, prog: list[Any]) -> bytes:
        return str(prog[0]).encode()

    def getPTX(self, prog: list[Any]) -> str:
        return str(prog[0])

    def destroyProgram(self, prog: list[Any]) -> None:
        prog.clear()
