"""Collecting the answers of batch files into a run: joined by trial, in any order, line by line.

An answer is stored once, however often its file is collected. One that comes for a trial which
has a reply is kept beside it where it was paid for: the first reply counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from needle.asking.batchlines import Answer, read_answer
from needle.asking.outcomes import Line, is_reply, write_line
from needle.contexts.truncation import PromptCounts, count_whole, remember_lines
from needle.edges.store import OUTCOMES, Log, read_lines
from needle.runs.prepare import Prepared
from needle.words.errors import UsageError
from needle.words.types import Asked, Failure, Reply, Trial

_AT_ONCE = 500  # outcomes that are written and synced together
_SHOWN = 3  # places that are named


@dataclass(frozen=True, slots=True)
class Source:
    """A file of answers, and the batch that they are of."""

    path: Path
    batch: str


@dataclass(slots=True)
class Collected:
    """What came: replies and failures stored now, and what was not.

    ``known`` answers were stored before; ``late`` ones came for a trial that had its reply:
    those paid for are kept beside it. ``not_run`` requests were never run. ``foreign`` and
    ``damaged`` name lines of no trial of this run, and lines that are no answers.
    """

    replies: int = 0
    failures: int = 0
    known: int = 0
    late: int = 0
    not_run: int = 0
    foreign: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """How many answers were read, whatever became of them."""
        stored = self.replies + self.failures + self.known + self.late
        return stored + self.not_run + len(self.foreign)

    def describe(self) -> list[str]:
        """Describe it: a line for what was stored, and one for each kind that was not."""
        told = [f"{self.replies:,} replies and {self.failures:,} failures stored"]
        if self.known:
            told.append(f"{self.known:,} answers were stored before")
        if self.late:
            told.append(f"{self.late:,} came for trials that had their reply: the first one counts")
        if self.not_run:
            told.append(f"{self.not_run:,} requests were never run: they are still to be asked")
        for lines, what in (
            (self.foreign, "lines of no trial of this run"),
            (self.damaged, "lines that are no answers"),
        ):
            if lines:
                more = ", ..." if len(lines) > _SHOWN else ""
                told.append(f"{what}: {len(lines):,} ({', '.join(lines[:_SHOWN])}{more})")
        return told


def collect_answers(
    prepared: Prepared, folder: Path, sources: Sequence[Source], key: str | None, at: str
) -> Collected:
    """Store the answers of files in a run; ``at`` is the time now, for those that tell none.

    All their counts of prompts are read before the first answer is judged by them: answers
    come in any order. Raises UsageError for a file that can't be read or holds no answer, and
    StoreError where outcomes can't be written.
    """
    joining = _Joining(prepared, folder, key, at)
    for source in sources:
        joining.remember_counts(source)
    with closing(Log(folder / OUTCOMES)) as outcomes:
        for source in sources:
            joining.store(source, outcomes)
    return joining.collected


def count_answers(path: Path) -> int:
    """Count the answers in a file, whosever they are; 0 where there is no such file."""
    found = 0
    if path.exists():
        with path.open("rb") as file:
            for data in file:
                with suppress(ValueError):
                    read_answer(data, None)
                    found += 1
    return found


class _Joining:
    """What a run has, and what is joined to it."""

    def __init__(self, prepared: Prepared, folder: Path, key: str | None, at: str) -> None:
        self.collected = Collected()
        self._run = prepared.run
        self._trials: Mapping[str, Trial] = {trial.key: trial for trial in prepared.plan.trials}
        self._key, self._at = key, at
        self._counts: PromptCounts = remember_lines(read_lines(folder / OUTCOMES))
        self._stored: set[tuple[str, str]] = set()
        self._replied: set[str] = set()
        for line in read_lines(folder / OUTCOMES):
            if "batch_request" in line:
                self._stored.add((line["trial"], line["batch_request"]))
            if is_reply(line):
                self._replied.add(line["trial"])

    def remember_counts(self, source: Source) -> None:
        """Take in the endpoint's counts of all prompts that a file has answers to."""
        whole = True
        for _, answer in self._read(source):
            whole = whole and answer is None
            trial = self._trials.get(answer.trial) if answer else None
            if trial is None or answer is None or not isinstance(answer.result, Reply):
                continue
            theirs = count_whole(answer.result)
            if theirs:
                self._counts.remember(trial.text_language, trial.prompt_tokens, theirs)
        if whole and source.path.stat().st_size:
            raise UsageError(
                f"no answers in {source.path} (FILES): give what a batch has written, such as "
                f"that of vllm run-batch -o; delete one that was fetched, to fetch it again"
            )

    def store(self, source: Source, outcomes: Log) -> None:
        """Store a file's answers, so many at once."""
        lines: list[Line] = []
        for place, answer in self._read(source):
            if answer is None:
                self.collected.damaged.append(place)
                continue
            line = self._join(source, answer)
            if line is not None:
                lines.append(line)
            if len(lines) >= _AT_ONCE:
                outcomes.append(*lines)
                lines = []
        if lines:
            outcomes.append(*lines)

    def _read(self, source: Source) -> Iterator[tuple[str, Answer | None]]:
        """Yield a file's lines with their places, None for one that is no answer."""
        try:
            with source.path.open("rb") as file:
                for number, data in enumerate(file, 1):
                    if not data.strip():
                        continue
                    place = f"{source.path.name}:{number}"
                    try:
                        yield place, read_answer(data, self._key, self._run.model.errors)
                    except ValueError:
                        yield place, None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"can't read {source.path} (FILES): {reason}") from error

    def _join(self, source: Source, answer: Answer) -> Line | None:
        """Return the line of an answer that is to be stored."""
        collected, trial = self.collected, self._trials.get(answer.trial)
        if trial is None:
            collected.foreign.append(ascii(answer.trial[:64]))
            return None
        if answer.result is None:
            collected.not_run += 1
            return None
        name = (answer.trial, answer.request)
        if name in self._stored:
            collected.known += 1
            return None
        self._stored.add(name)
        moment = self._at if answer.created is None else _write_moment(answer.created)
        asked = self._counts.judge(trial, Asked(answer.result, 1, 0, None, moment))
        reply = asked.result if isinstance(asked.result, Reply) else asked.result.reply
        if answer.trial in self._replied:
            collected.late += 1
            if reply is None:
                return None
        elif isinstance(asked.result, Failure):
            collected.failures += 1
        else:
            collected.replies += 1
            self._replied.add(answer.trial)
        return write_line(trial, asked, self._run.model.price, (source.batch, answer.request))


def _write_moment(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
