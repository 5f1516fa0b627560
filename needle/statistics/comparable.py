"""Which runs may be compared: the same text in front of every model. Pure."""

from collections.abc import Callable, Mapping, Sequence

from needle.words.types import Run

_SHOWN = 60  # characters of a value that differs


def find_differences(runs: Sequence[Run]) -> list[str]:
    """Say what keeps runs from being compared in pairs, a line each; nothing where they may be.

    Runs are compared on equal needles, haystack, template, layout, unit and counting tokenizer. One
    whose lengths are in the vendor's own tokens, or that was imported, is only ever shown.
    """
    found = []
    for run in runs:
        if run.imported is not None:
            found.append(f"{run.run_id} is imported: what its trials were made of is not known")
        if run.ratio is not None:
            found.append(f"{run.run_id} counts lengths in its vendor's own tokens (--count vendor)")
    found += [
        f"{what} differ: {runs[0].run_id} has {_cut(ours, theirs)}, "
        f"{run.run_id} has {_cut(theirs, ours)}"
        for run in runs[1:]
        if run.imported is None and runs[0].imported is None
        for what, tell in _SAME.items()
        for ours, theirs in [(tell(runs[0], run), tell(run, runs[0]))]
        if ours != theirs
    ]
    if len(runs) > 1 and not found and not _share(runs):
        found.append("no task and language is in all of them")
    return found


def _share(runs: Sequence[Run]) -> bool:
    tasks = set.intersection(*(set(run.tasks) for run in runs))
    return bool(tasks and set.intersection(*(set(run.languages) for run in runs)))


def _cut(value: str, other: str) -> str:
    """Return a value from a little before the place where it parts from another."""
    parts = next((i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), 0)
    start = max(parts - _SHOWN // 3, 0) if len(value) > _SHOWN else 0
    shown = value[start : start + _SHOWN]
    before, after = "..." if start else "", "..." if start + _SHOWN < len(value) else ""
    return f"{before}{shown}{after}" or "none"


def _tell_needles(run: Run, other: Run) -> str:
    """Tell the facts and questions of the replicates, tasks and languages that both runs have."""
    told = []
    for task in run.tasks:
        for language in run.languages:
            if task in other.tasks and language in other.languages:
                needles = run.needles[task][language]
                each = len(needles) // run.replicates  # several in the shared layout
                number = min(run.replicates, other.replicates) * each
                told += [
                    f"{' '.join(needle.facts)} {needle.question}" for needle in needles[:number]
                ]
    return " / ".join(told)


def _tell_layout(run: Run, _: Run) -> str:
    """Tell a run's layout; what stands in a shared context hangs on all depths of the grid."""
    if run.layout == "classic":
        return run.layout
    depths = ", ".join(f"{depth:g}" for depth in run.grid.depths)
    return f"{run.layout} (needles at {depths})"


def _tell_texts(run: Run, other: Run) -> str:
    both = [language for language in run.haystacks if language in other.haystacks]
    return ", ".join(
        f"{run.haystacks[language].name} ({language}, sha256 "
        f"{(run.haystacks[language].sha256 or 'unknown')[:12]})"
        for language in both
    )


def _tell_templates(run: Run, other: Run) -> str:
    both = [language for language in run.templates if language in other.templates]
    return " / ".join(
        f"{run.templates[language].name}: "
        + " ".join(content for _, content in run.templates[language].messages)
        for language in both
    )


_SAME: Mapping[str, Callable[[Run, Run], str]] = {
    "layouts": _tell_layout,
    "needles": _tell_needles,
    "haystacks": _tell_texts,
    "templates": _tell_templates,
    "counting tokenizers": lambda run, _: run.tokenizer,
    "units": lambda run, _: run.unit,
    "seeds": lambda run, _: str(run.seed),
}
