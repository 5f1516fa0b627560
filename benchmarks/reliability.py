"""A campaign of faults: what becomes of 10,000 trials when three in ten requests go wrong.

    python benchmarks/reliability.py [--seed 0] [--trials 10000] [--share 0.3] [--kills 5]

The simulated endpoint meets every fault that it knows, all alike often. The run is killed (-9) at
drawn moments and resumed, then left to end by itself, and resumed while failures are left that
may pass. The endpoint keeps a record of its own, in another process, of all that it was asked and
answered, and the run folder is held against it. Exits with 1 if any promise is broken.
"""

import argparse
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from needle.simulated.faults import NO_FAULTS, parse_faults

KEY = "sk-campaign-5d41402abc4b2a76b9719d911017c592"
MODEL = "sim/reader"
CONCURRENCY = 32
RESUMES = 30


def name_prompt(messages: object) -> str:
    """Return what tells one prompt from another."""
    return hashlib.sha256(json.dumps(messages).encode()).hexdigest()


def serve(record: Path, seed: int, faults: str) -> None:
    """Serve the simulated models on a free port, writing down each request and its answer."""
    import uvicorn

    from needle.runs.simulator import create_app

    app = create_app(seed=seed, faults=parse_faults(faults), key=KEY)
    log = record.open("a", buffering=1, encoding="utf-8")

    async def recorded(scope: Any, receive: Any, send: Any) -> None:
        received, sent = bytearray(), bytearray()
        status: list[int] = []

        async def hear() -> Any:
            message = await receive()
            received.extend(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                prompt = name_prompt(json.loads(received)["messages"]) if received else ""
                log.write(json.dumps({"asked": prompt}) + "\n")
            sent.extend(message.get("body", b""))
            await send(message)

        with suppress(Exception):
            await app(scope, hear, say)
        prompt = name_prompt(json.loads(received)["messages"]) if received else ""
        answered = False
        with suppress(ValueError, LookupError):
            answered = status == [200] and bool(json.loads(sent)["choices"])
        log.write(json.dumps({"ended": prompt, "status": status, "answered": answered}) + "\n")

    config = uvicorn.Config(recorded, port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    startup = server.startup

    async def started(sockets: Any = None) -> None:
        await startup(sockets)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}/v1", flush=True)

    server.startup = started  # type: ignore[method-assign]
    server.run()


@dataclass
class Campaign:
    """What a campaign has found so far."""

    trials: int = 0
    replies: int = 0
    last_failures: int = 0
    requests: int = 0
    kills: int = 0
    resumes: int = 0
    answers_lost_in_kills: int = 0
    asked_again_after_storing: int = 0
    lost_replies: int = 0
    not_settled: int = 0
    keys_written: int = 0
    seconds: float = 0.0

    @property
    def broken(self) -> int:
        """How often a promise was broken."""
        return (
            self.asked_again_after_storing
            + self.lost_replies
            + self.not_settled
            + self.keys_written
        )


@dataclass
class Segment:
    """One process of the run: where its part of the record begins, and what was stored then."""

    begin: int
    stored: set[str]
    killed: bool = False


class Watched:
    """The run's processes, the endpoint's record, and what was stored when each process began."""

    def __init__(self, out: Path, record: Path, env: dict[str, str]) -> None:
        self.out, self.record, self.env = out, record, env
        self.said = ""
        self.segments: list[Segment] = []

    def folder(self) -> Path | None:
        """Return the run's folder, once there is one."""
        return next((path for path in self.out.iterdir() if path.is_dir()), None)

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """Return each trial's outcomes that are whole on disk, in their order."""
        folder = self.folder()
        found: dict[str, list[dict[str, Any]]] = {}
        if folder is None or not (folder / "outcomes.jsonl").exists():
            return found
        for line in (folder / "outcomes.jsonl").read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                outcome = json.loads(line)
                found.setdefault(outcome["trial"], []).append(outcome)
        return found

    def stored(self) -> set[str]:
        """Return the trials whose reply is on disk."""
        found = self.states().items()
        return {trial for trial, lines in found if any(not line["failure"] for line in lines)}

    def events(self) -> list[dict[str, Any]]:
        """Return what the endpoint has written down."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def start(self, command: list[str]) -> "subprocess.Popen[str]":
        """Start a process, with what is stored now noted."""
        self.segments.append(Segment(len(self.events()), self.stored()))
        return subprocess.Popen(
            [sys.executable, "-m", "needle", *command],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> int:
        """Wait for a process to end by itself."""
        self.said += process.communicate()[0]
        return process.returncode


def run_campaign(trials: int, share: float, seed: int, kills: int) -> tuple[Campaign, Counter[str]]:
    """Carry one campaign out; return its figures and its last failures by kind."""
    names = list(asdict(NO_FAULTS))
    faults = ",".join(f"{name}={share / len(names):.6f}" for name in names)
    campaign, began = Campaign(), time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        record, out = place / "record.jsonl", place / "runs"
        record.touch()
        out.mkdir()
        serving = [sys.executable, __file__, "--serve", str(record), f"--seed={seed}"]
        server = subprocess.Popen(
            [*serving, f"--faults={faults}"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            own = place / "models"
            own.mkdir()
            (own / "sim.yaml").write_text("vendor: sim\nkey: CAMPAIGN_KEY\n")
            env = {**os.environ, "CAMPAIGN_KEY": KEY, "NEEDLE_MODELS": str(own)}
            watched = Watched(out, record, env)
            _drive(watched, _command(url, out, trials, seed), seed, kills, trials, campaign)
            kinds = _judge(watched, place, campaign)
        finally:
            server.kill()
            server.wait()
    campaign.seconds = time.monotonic() - began
    return campaign, kinds


def _command(url: str, out: Path, trials: int, seed: int) -> list[str]:
    """Return the command of a run of about so many short trials in both languages."""
    depths = 25
    lengths = 20
    # Some cells fall on the same place and are one trial: a tenth more makes up for them.
    replicates = math.ceil(1.1 * trials / (2 * depths * lengths))
    typed = ",".join(str(600 + 40 * number) for number in range(lengths))
    return [
        *("run", "--model", MODEL, "--base-url", url, "--out", str(out), "--yes"),
        *("--lengths", typed, "--depth-count", str(depths), "--replicates", str(replicates)),
        *("--concurrency", str(CONCURRENCY), "--timeout", "5", f"--seed={seed}"),
        *("--controls", "none"),
    ]


def _drive(
    watched: Watched, command: list[str], seed: int, kills: int, trials: int, campaign: Campaign
) -> None:
    """Start, kill and resume; then let the run end, and resume it while failures may pass."""
    rng = random.Random(seed)
    moments = sorted(rng.randrange(trials) for _ in range(kills))
    process = watched.start(command)
    for moment in moments:
        while process.poll() is None and _count_asked(watched.record) < moment:
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
            campaign.kills += 1
            watched.segments[-1].killed = True
        process.communicate()
        process = watched.start(command)  # the same command goes on with its unfinished run
    status = watched.finish(process)
    while status == 1 and campaign.resumes < RESUMES and _may_pass(watched):
        campaign.resumes += 1
        status = watched.finish(watched.start(["resume", str(watched.folder())]))


def _count_asked(record: Path) -> int:
    return record.read_bytes().count(b'"asked"')


def _may_pass(watched: Watched) -> bool:
    last = [lines[-1]["failure"] for lines in watched.states().values()]
    return any(failure and not failure["permanent"] for failure in last)


def _judge(watched: Watched, place: Path, campaign: Campaign) -> Counter[str]:
    """Hold the run folder against the endpoint's record."""
    folder = watched.folder()
    assert folder is not None
    prompts = _name_prompts(folder)
    states, events = watched.states(), watched.events()
    campaign.trials = len(prompts)
    campaign.requests = sum("asked" in event for event in events)
    kinds: Counter[str] = Counter()
    for trial in prompts:
        lines = states.get(trial, [])
        replies = [line for line in lines if not line["failure"]]
        campaign.replies += len(replies) == 1
        if not replies and lines:
            campaign.last_failures += 1
            kinds[lines[-1]["failure"]["kind"]] += 1
        campaign.not_settled += (
            not lines
            or len(replies) > 1
            or (len(replies) == 1 and lines[-1]["failure"] is not None)
        )
    _hold_against_record(prompts, watched, events, campaign)
    campaign.keys_written = watched.said.count(KEY) + _count_in_files(place, KEY)
    return kinds


def _name_prompts(folder: Path) -> dict[str, str]:
    """Return the name of each trial's prompt, built anew from run.yaml."""
    from needle.contexts.prompts import build_messages
    from needle.edges.store import load_run
    from needle.runs.prepare import prepare_again
    from needle.runs.writing import passage_reader

    prepared = prepare_again(load_run(folder))
    read = passage_reader(prepared)
    return {
        trial.key: name_prompt(
            build_messages(trial, prepared.run.templates[trial.language], read(trial))
        )
        for trial in prepared.plan.trials
    }


def _hold_against_record(
    prompts: dict[str, str], watched: Watched, events: list[dict[str, Any]], campaign: Campaign
) -> None:
    """Count requests for a prompt whose reply was stored, and answers that were not stored.

    Within one process each answer that the endpoint got through whole is stored before the
    prompt can be asked anew; what a kill takes with it was in flight, and is asked again.
    """
    ends = [*watched.segments[1:], Segment(len(events), watched.stored())]
    for segment, after in zip(watched.segments, ends, strict=True):
        settled = {prompts[trial] for trial in segment.stored}
        for event in events[segment.begin : after.begin]:
            campaign.asked_again_after_storing += event.get("asked") in settled
            if event.get("answered"):
                settled.add(event["ended"])
        unstored = len(settled - {prompts[trial] for trial in after.stored})
        if segment.killed:
            campaign.answers_lost_in_kills += unstored
        else:
            campaign.lost_replies += unstored


def _count_in_files(place: Path, text: str) -> int:
    return sum(text.encode() in path.read_bytes() for path in place.rglob("*") if path.is_file())


def main() -> None:
    """Print a campaign's figures; exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--faults", default="", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--kills", type=int, default=5)
    said = parser.parse_args()
    if said.serve:
        serve(said.serve, said.seed, said.faults)
        return
    campaign, kinds = run_campaign(said.trials, said.share, said.seed, said.kills)
    print(f"| seed {said.seed}, faults {said.share:.0%} | |")
    print("|---|---|")
    for name, value in asdict(campaign).items():
        print(f"| {name.replace('_', ' ')} | {value:,.0f} |")
    for kind, number in sorted(kinds.items()):
        print(f"| last failure: {kind} | {number:,} |")
    sys.exit(1 if campaign.broken else 0)


if __name__ == "__main__":
    main()
