"""A real Slurm on this machine alone: emulated nodes with fake GPUs, own munge, own free ports, stopped by process id.

The daemons are Debian's (``slurm-wlm``, ``munge``). All that they write lies in one folder; they listen on the loopback
address. A GPU is a device node of /dev/null: Slurm hands out its number in ``CUDA_VISIBLE_DEVICES``, and no program
finds a GPU of that number. Needs root, which alone may make device nodes. No systemd and no cgroups are needed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
OTHER_PLACES = "/usr/sbin:/sbin"  # where daemons lie, though a user's PATH may not have them
NULL = os.makedev(1, 3)
UP_S = 60.0  # until every node is idle
DOWN_S = 20.0  # until a daemon that was told to end has ended
WITHOUT = "SLURM", "SBATCH", "SQUEUE", "SINFO", "SCANCEL", "SALLOC", "SRUN"  # settings of another Slurm


def program(name: str) -> str | None:
    """Where a program of Slurm or munge is."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), OTHER_PLACES)))


def why_not() -> str | None:
    """Why there can be no emulated Slurm here; None where there can."""
    if sys.platform != "linux":
        return "this system is not Linux"
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return f"this system has no {missing[0]} (Debian: slurm-wlm and munge)"
    if os.geteuid() != 0:
        return "the emulated Slurm needs root"
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.mknod(f"{folder}/gpu", stat.S_IFCHR | 0o666, NULL)
        except OSError as error:
            return f"device nodes cannot be made here ({error.strerror})"
    return None


@dataclass(frozen=True)
class Slurm:
    """A Slurm that runs, or ran, in a folder."""

    folder: Path  # everything of it

    @property
    def conf(self) -> Path:
        """What SLURM_CONF names."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user of this Slurm: nothing of another one in it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(WITHOUT)}
        return {**own, "SLURM_CONF": str(self.conf)}

    def run(self, *words: str, given: str | None = None, also: Mapping[str, str] | None = None) -> str:
        """Standard output of one of Slurm's commands; raises RuntimeError with what it says when it fails."""
        done = subprocess.run(
            [program(words[0]) or words[0], *words[1:]],
            input=given,
            env={**self.environment, **(also or {})},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def nodes(self) -> dict[str, str]:
        """State of each node by its name."""
        return dict(line.split() for line in self.run("sinfo", "-h", "-N", "-o", "%N %T").splitlines())  # type: ignore[misc]

    def state(self, job: str) -> str:
        """State of a job, of which Slurm knows for some minutes after its end: COMPLETED, FAILED, ..."""
        told = self.run("scontrol", "--oneliner", "show", "job", job)
        return ",".join(sorted({word[9:] for word in told.split() if word.startswith("JobState=")}))

    def wait(self, *jobs: str, seconds: float) -> dict[str, str]:
        """The state of each job when all have ended. Raises TimeoutError."""
        until(lambda: not self.run("squeue", "-h", "-j", ",".join(jobs), "-o", "%i").strip(), seconds, "the jobs' end")
        return {job: self.state(job) for job in jobs}

    def daemons(self) -> dict[str, psutil.Process]:
        """What ``start`` began and still runs, by name: munged, slurmctld, slurmd.gb1 and so on."""
        found = {}
        for file in sorted(self.folder.glob("run/*.pid")):
            with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
                process = psutil.Process(int(file.read_text()))
                # A number that was given away again is somebody else's process
                if process.name() == file.name.split(".")[0] and alive(process):
                    found[file.stem] = process
        return found

    def steps(self) -> list[psutil.Process]:
        """The processes of this Slurm that watch over a job's step; a job's own processes descend from them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # Its environment is overwritten by its title; it stands where its slurmd does, beside the logs
                if process.name().startswith("slurmstepd") and process.cwd() == str(self.folder / "log"):
                    found.append(process)
        return found

    def processes(self) -> list[psutil.Process]:
        """All that runs because of this Slurm."""
        steps = self.steps()
        return [*self.daemons().values(), *steps, *descendants(steps)]

    def stop(self) -> None:
        """End every job, then every daemon, and wait until nothing is left."""
        daemons = self.daemons()
        with contextlib.suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            if "slurmctld" in daemons and (jobs := self.run("squeue", "-h", "-o", "%A").split()):
                self.run("scancel", *sorted(set(jobs)))
                until(lambda: not self.steps(), DOWN_S, "the jobs' end")
        munged = daemons.pop("munged", None)  # the others ask it for as long as they run
        for group in (list(daemons.values()), self.steps(), [munged] if munged else []):
            _end([*descendants(group), *group])


def descendants(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Children of processes, their children, and so on."""
    found: dict[int, psutil.Process] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found.update({child.pid: child for child in process.children(recursive=True)})
    return list(found.values())


def alive(process: psutil.Process) -> bool:
    """Whether it runs. A process whose parent never asks for its end does not: a container's first one may not ask."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _end(processes: list[psutil.Process]) -> None:
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                ask(process)
        with contextlib.suppress(TimeoutError):
            until(lambda: not any(map(alive, processes)), DOWN_S, "their end")


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something is true; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(folder: Path, nodes: int = 3, gpus: int = 2, cores: int = 2) -> Slurm:
    """Start a Slurm with nodes gb1, gb2, ... of that many GPUs and cores each, and wait until all of them are idle."""
    slurm = Slurm(folder.resolve())
    if slurm.daemons():
        raise RuntimeError(f"{folder}: a Slurm runs here already")
    names = [f"gb{number}" for number in range(1, nodes + 1)]
    for name in ("run", "log", "state", "munge", "dev", *(f"spool/{name}" for name in names)):
        (slurm.folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(nodes * gpus):
        device = slurm.folder / "dev" / f"gpu{number}"
        if not device.exists():
            os.mknod(device, stat.S_IFCHR | 0o666, NULL)
    key = slurm.folder / "munge/key"
    key.unlink(missing_ok=True)
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    slurm.conf.write_text(_configuration(slurm.folder, names, gpus, cores))
    (slurm.folder / "gres.conf").write_text(
        "".join(
            f"NodeName={name} Name=gpu File={slurm.folder}/dev/gpu[{at * gpus}-{(at + 1) * gpus - 1}]\n"
            for at, name in enumerate(names)
            if gpus
        )
    )
    try:
        _munge(slurm)
        slurm.run("slurmctld", "-c", "-i", "-f", str(slurm.conf))
        for name in names:
            slurm.run("slurmd", "-f", str(slurm.conf), "-N", name)
        until(lambda: _idle(slurm, names), UP_S, f"{folder}: all nodes idle")
    except (RuntimeError, TimeoutError, OSError) as error:
        slurm.stop()
        raise RuntimeError(f"{error}\n{_last_words(slurm)}") from error
    return slurm


def _munge(slurm: Slurm) -> None:
    at = slurm.folder / "munge"
    files = (f"--key-file={at}/key", f"--socket={at}/sock", f"--log-file={at}/log", f"--seed-file={at}/seed")
    slurm.run("munged", "--force", *files, f"--pid-file={slurm.folder}/run/munged.pid")


def _idle(slurm: Slurm, names: list[str]) -> bool:
    try:
        return slurm.nodes() == dict.fromkeys(names, "idle")
    except RuntimeError:  # it is not up yet
        return False


def _last_words(slurm: Slurm) -> str:
    logs = [*sorted(slurm.folder.glob("log/*.log")), slurm.folder / "munge/log"]
    return "\n".join(
        f"{log.name}: {line}" for log in logs if log.exists() for line in log.read_text().splitlines()[-3:]
    )


def _configuration(folder: Path, names: list[str], gpus: int, cores: int) -> str:
    """No accounting, no cgroups, short waits. A requeued job waits as long as a credential lives: 120 s unless said."""
    control, *ports = free_ports(1 + len(names))
    host = socket.gethostname().split(".")[0]
    lines = [
        "ClusterName=emulated",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={control}",
        "AuthType=auth/munge",
        f"AuthInfo=socket={folder}/munge/sock,cred_expire=10",
        "CredType=cred/munge",
        "SlurmUser=root",
        "SlurmdUser=root",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool/%n",
        f"SlurmctldPidFile={folder}/run/slurmctld.pid",
        f"SlurmdPidFile={folder}/run/slurmd.%n.pid",
        f"SlurmctldLogFile={folder}/log/slurmctld.log",
        f"SlurmdLogFile={folder}/log/slurmd.%n.log",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SwitchType=switch/none",
        "MpiDefault=none",
        "JobAcctGatherType=jobacct_gather/none",
        "AccountingStorageType=accounting_storage/none",
        "SchedulerType=sched/backfill",
        "SchedulerParameters=sched_interval=2,bf_interval=2",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core",
        "ReturnToService=1",
        "KillWait=5",
        "SlurmdParameters=config_overrides",
        "CommunicationParameters=NoAddrCache,NoCtldInAddrAny,NoInAddrAny",
        "MaxArraySize=1001",
        "MinJobAge=600",
        "GresTypes=gpu",
    ]
    for name, port in zip(names, ports):
        has = f"CPUs={cores} RealMemory=4000" + (f" Gres=gpu:{gpus}" if gpus else "")
        lines.append(f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {has} State=UNKNOWN")
    lines.append("PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """A Slurm of three nodes, stopped at the end."""
    slurm = start(folder)
    try:
        yield slurm
    finally:
        slurm.stop()
