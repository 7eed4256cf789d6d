"""A small farm of sleeping workers, run as a program of its own: how long does a graph of tasks take in truth?

It imports nothing of Shotmark, so that some hundreds of forked workers stay small. A line of JSON on standard input is
a graph (``first``, ``edges``, ``needs``, ``priority`` of groups; ``duration_s`` of tasks); its seconds come out as a
line. A worker that loses its connection ends, so nothing outlives this program.
"""

from __future__ import annotations

import heapq
import json
import os
import select
import socket
import struct
import sys
import time
from typing import TypedDict

TASK = struct.Struct("d")


class Graph(TypedDict):
    """What comes in on a line."""

    first: list[int]  # the first task of each group, and how many tasks there are
    edges: list[list[int]]  # the groups that wait for each group
    needs: list[int]  # how many groups each group waits for
    priority: list[float]  # of each group
    duration_s: list[float]  # of each task


def work(connection: int) -> None:
    """One worker: sleep as long as it is told, answer, again."""
    os.dup2(connection, 0)
    os.closerange(1, 65536 if connection < 65536 else connection + 1)  # its siblings' connections among them
    while data := os.read(0, TASK.size):
        (seconds,) = TASK.unpack(data)
        if seconds > 0.0:
            time.sleep(seconds)
        os.write(0, b".")
    os._exit(0)


def start(count: int) -> list[socket.socket]:
    """Fork workers; a connection to each."""
    connections = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                work(theirs.fileno())
            finally:
                os._exit(1)
        theirs.close()
        connections.append(ours)
    return connections


def run(graph: Graph, connections: list[socket.socket]) -> float:
    """Seconds from the first task's start to the last one's answer: list scheduling, highest priority first."""
    first, edges, durations = graph["first"], graph["edges"], graph["duration_s"]
    priority, needs = graph["priority"], list(graph["needs"])
    left = [b - a for a, b in zip(first, first[1:])]  # noqa: RUF007 (itertools is one import more for every worker)
    taken = list(first)
    ready = [(-priority[group], group) for group in range(len(needs)) if needs[group] == 0]
    heapq.heapify(ready)
    by_number = {connection.fileno(): connection for connection in connections}
    idle = sorted(by_number, reverse=True)
    doing: dict[int, int] = {}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    begin = time.perf_counter()
    while ready or doing:
        while ready and idle:
            group = ready[0][1]
            number = idle.pop()
            by_number[number].send(TASK.pack(durations[taken[group]]))
            doing[number] = group
            taken[group] += 1
            if taken[group] == first[group + 1]:
                heapq.heappop(ready)
        for number, _ in poll.poll():
            if not by_number[number].recv(1):
                raise SystemExit("a worker is gone")
            group = doing.pop(number)
            idle.append(number)
            left[group] -= 1
            if left[group] == 0:
                for after in edges[group]:
                    needs[after] -= 1
                    if needs[after] == 0:
                        heapq.heappush(ready, (-priority[after], after))
    return time.perf_counter() - begin


def main() -> None:
    """Workers as told by the first argument; graphs from standard input until it ends."""
    connections = start(int(sys.argv[1]))
    count = len(connections)
    naps = Graph(first=[0, count], edges=[[]], needs=[0], priority=[0.0], duration_s=[0.01] * count)
    run(naps, connections)  # every worker is awake once
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), connections)), flush=True)


if __name__ == "__main__":
    main()
