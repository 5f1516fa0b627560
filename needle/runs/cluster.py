"""A Ray cluster whose workers ask, while this process decides: the one module that imports ray.

A worker writes a trial's prompt and sends it once. When, how often, by which limits and for how
much money is for the process that stores the outcomes: a request passes its gate before a worker
has it. So what holds for one machine holds for all workers together, and a worker that is gone
takes with it no more than the attempts that it had in flight, which are made again by another.
"""

import asyncio
import importlib.util
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from needle.caching.chains import Step
from needle.edges.endpoint import Heard
from needle.runs.beside import OpenSender, Sender
from needle.runs.prepare import Prepared
from needle.runs.workers import Asker, Shipped, describe_code
from needle.runs.writing import Texts, gather_texts
from needle.words.errors import Stopped, UsageError, known
from needle.words.types import Failure

ADDRESS = "RAY_ADDRESS"
"""Ray's own variable for the cluster to use; `ray job submit` sets it."""

_LOCAL = "local"
_LOCAL_WORKERS = 2
_LOCAL_STORE = 256 * 1024 * 1024  # bytes of shared memory: it holds the haystacks alone
_LOOK_S = 10.0
_START_S = 120.0  # seconds within which a worker answers at first
_WITHOUT_S = 120.0  # seconds for which a run waits where no worker is left
_LATE_S = 60.0  # seconds that an answer may take longer than the endpoint's time-out
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between attempts to start another worker
_AT_ONCE = 10_000  # requests of a worker: the gate says how many there are

_GONE = "the worker that asked is gone"


def require_ray(address: str | None) -> None:
    """Raise UsageError where there is no ray, or an address that needle can't use."""
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "ray is not installed (--engine ray): pip install 'needle[ray]', on each machine"
        )
    if (address or os.environ.get(ADDRESS, "")).startswith("ray://"):
        raise UsageError(
            "needle can't work through a Ray client (--address, RAY_ADDRESS): run it on a machine "
            "of the cluster with --address auto, or by ray job submit"
        )


@contextmanager
def working(address: str | None, number: int | None) -> Iterator[OpenSender]:
    """Start workers on a cluster and yield what opens a run's sender; end them afterwards.

    Without an address, said or in RAY_ADDRESS, a cluster is started on this machine. Raises
    UsageError where there is no cluster, or workers with another needle.
    """
    import ray

    _connect(address or os.environ.get(ADDRESS) or _LOCAL, number)
    try:
        crew = Crew(_list_nodes(), number)
        crew.gather()
        try:
            yield crew.open
        finally:
            crew.end()
    finally:
        ray.shutdown()


def _connect(address: str, number: int | None) -> None:
    """Start or join a cluster; raise UsageError in one line where that can't be done."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what runs is nobody's business
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    _look_for(address)
    own: dict[str, Any] = {}
    if address == _LOCAL:
        own = {
            "num_cpus": number or _LOCAL_WORKERS,
            "object_store_memory": _LOCAL_STORE,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        words = " ".join(str(error).split())
        raise UsageError(f"no Ray cluster at {address!r} (--address): {words}") from error


def _look_for(address: str) -> None:
    """Raise UsageError where nothing listens at HOST:PORT, for which Ray would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LOOK_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster at {address!r} (--address): {error}") from error


@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    address: str


def _list_nodes() -> list[_Node]:
    """Return the machines that are to work: those with CPUs, if any has."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    with_cpus = [node for node in alive if node["Resources"].get("CPU")]
    return [_Node(node["NodeID"], node["NodeManagerAddress"]) for node in with_cpus or alive]


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker as the crew knows it: its actor, what is open there, and its requests."""

    actor: Any
    node: _Node
    opened: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class _Open:
    """What a worker needs to know of a run."""

    prepared: Prepared
    texts: Texts
    shipped: Shipped
    key: str | None


class Crew:
    """The workers of a cluster. One that is gone is replaced, and meanwhile there are fewer."""

    def __init__(self, nodes: Sequence[_Node], number: int | None) -> None:
        """Begin with so many workers, spread over the machines; one on each by default."""
        import ray

        count = number or (len(nodes) if len(nodes) > 1 else _LOCAL_WORKERS)
        self._nodes = nodes
        self._far = any(node.address != ray.util.get_node_ip_address() for node in nodes)
        at = [nodes[index % len(nodes)] for index in range(count)]
        self._workers = [_Worker(self._start(node), node) for node in at]
        self._open: dict[int, _Open] = {}
        self._numbers = 0
        self._kept: dict[str, Any] = {}
        self._joined = asyncio.Event()
        self._joining: set[asyncio.Task[None]] = set()

    def gather(self) -> None:
        """Wait until the workers answer, all or as many as do in time, and look at their needle.

        Raises UsageError where none does, or where one has another needle.
        """
        import ray

        asked = {worker.actor.describe.remote(): worker for worker in self._workers}
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_START_S)
        there, fault = [], ""
        for reference in ready:
            try:
                code = ray.get(reference)
            except ray.exceptions.RayError as error:
                fault = _say_fault(error)
                continue
            refuse_other(code, asked[reference].node.address)
            there.append(asked[reference])
        if not there:
            raise UsageError(
                f"no Ray worker began within {_START_S:.0f} s (--engine ray): "
                f"{fault or 'ray status shows what the cluster has free'}"
            )
        self._workers = there

    def end(self) -> None:
        """End all workers, and with them what they have in flight."""
        import ray

        for worker in self._workers:
            with suppress(ray.exceptions.RayError):
                ray.kill(worker.actor)

    def open(self, prepared: Prepared, key: str | None) -> Sender:
        """Open a run's sender; raise UsageError where its endpoint is out of the workers' reach."""
        import ray

        if prepared.run.model.simulated and self._far:
            raise UsageError(
                f"{prepared.run.model.name} is simulated on this machine, out of reach of workers "
                f"on others: leave --engine ray out"
            )
        for haystack in prepared.haystacks.values():
            if haystack.sha256 not in self._kept:
                self._kept[haystack.sha256] = ray.put(haystack)
        shipped = {
            language: (haystack.sha256, [self._kept[haystack.sha256]])
            for language, haystack in prepared.haystacks.items()
        }
        self._numbers += 1
        self._open[self._numbers] = _Open(prepared, gather_texts(prepared), shipped, key)
        return _SenderThere(self, self._numbers)

    async def send(self, number: int, step: Step) -> Heard:
        """Send a step of a run once, by the worker that has the fewest requests in flight."""
        import ray

        timeout_s = known(self._open[number].prepared.run.timeout_s) + _LATE_S
        while True:
            worker = await self._choose()
            worker.in_flight += 1
            try:
                if not await self._be_open(worker, number):
                    continue  # nothing was sent
                async with asyncio.timeout(timeout_s):
                    heard: Heard = await worker.actor.send.remote(number, step)
                    return heard
            except ray.exceptions.RayTaskError:
                raise  # a fault of needle's own
            except ray.exceptions.RayError:
                self._replace(worker)
                return Heard(Failure("connection", None, _GONE, permanent=False))
            except TimeoutError:
                self._replace(worker)
                return Heard(Failure("timeout", None, "no answer in time", permanent=False))
            finally:
                worker.in_flight -= 1

    async def close(self, number: int) -> None:
        """Let go of a run."""
        import ray

        self._open.pop(number)
        for worker in list(self._workers):
            if worker.opened.pop(number, None) is not None:
                with suppress(ray.exceptions.RayError, TimeoutError):
                    async with asyncio.timeout(_LATE_S):
                        await worker.actor.close.remote(number)

    def _start(self, node: _Node) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        actor = ray.remote(Asker).options(
            num_cpus=0,  # it waits nearly all of the time
            max_restarts=0,
            max_concurrency=_AT_ONCE,
            scheduling_strategy=there,
        )
        return actor.remote()

    def _choose_node(self, node: _Node) -> _Node:
        """Return a machine if it is still there, else the one that has the fewest workers."""
        there = _list_nodes() or [node]
        busy = [worker.node for worker in self._workers]
        return node if node in there else min(there, key=busy.count)

    async def _choose(self) -> _Worker:
        """Return the worker with the fewest requests; raise Stopped where none is left for long."""
        if not self._workers:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WITHOUT_S):
                    while not self._workers:
                        self._joined.clear()
                        await self._joined.wait()
        if not self._workers:
            raise Stopped(
                f"no Ray worker has been left for {_WITHOUT_S:.0f} s: see ray status, and say the "
                f"same again"
            )
        return min(self._workers, key=lambda worker: worker.in_flight)

    async def _be_open(self, worker: _Worker, number: int) -> bool:
        """Open a run at a worker, once; tell whether it is, and replace one that is gone."""
        import ray

        if number not in worker.opened:
            told = self._open[number]
            opening = worker.actor.open.remote(
                number, told.texts.run, told.texts.longest, told.shipped, told.key
            )
            worker.opened[number] = asyncio.ensure_future(_await(opening))
        try:
            async with asyncio.timeout(_START_S):
                await asyncio.shield(worker.opened[number])
        except ray.exceptions.RayTaskError:
            raise
        except (ray.exceptions.RayError, TimeoutError):
            self._replace(worker)
            return False
        return True

    def _replace(self, worker: _Worker) -> None:
        """Take a worker out, and start another one in its place."""
        import ray

        if worker not in self._workers:
            return
        self._workers.remove(worker)
        with suppress(ray.exceptions.RayError):
            ray.kill(worker.actor)
        task = asyncio.ensure_future(self._join(worker.node))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, node: _Node) -> None:
        """Start a worker, again and again until one answers."""
        import ray

        pause = _FIRST_PAUSE_S
        while True:
            with suppress(ray.exceptions.RayError, TimeoutError):
                node = self._choose_node(node)
                worker = _Worker(self._start(node), node)
                async with asyncio.timeout(_START_S):
                    code = await worker.actor.describe.remote()
                if code != describe_code():
                    return
                self._workers.append(worker)
                self._joined.set()
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class _SenderThere:
    """Sends by the workers of a crew."""

    crew: Crew
    number: int

    async def send(self, step: Step) -> Heard:
        return await self.crew.send(self.number, step)

    async def close(self) -> None:
        await self.crew.close(self.number)


async def _await(reference: Any) -> None:
    await reference


def refuse_other(code: str, where: str) -> None:
    """Raise UsageError where a worker's needle is another than this one."""
    if code != describe_code():
        raise UsageError(
            f"the Ray worker at {where} has needle {code}, this is {describe_code()}: "
            f"install the same on each machine"
        )


def _say_fault(error: Exception) -> str:
    """Return in one line why a worker did not begin."""
    text = str(error)
    if "No module named 'needle'" in text:
        return "needle is not installed there: pip install 'needle[ray]' on each machine"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
