"""Which runs may be compared: the same text in front of every model. Pure."""

from collections.abc import Callable, Mapping, Sequence

from needle.words.types import Language, Run

_SHOWN = 60  # characters of a value that differs


_IMPORTED: Mapping[Language, str] = {
    "en": "{run} is imported: what its trials were made of is not known",
    "zh": "{run} 是导入的：各次提问由什么组成，无从得知",
}
_COUNTED: Mapping[Language, str] = {
    "en": "{run} counts lengths in its vendor's own tokens (--count vendor)",
    "zh": "{run} 的长度按厂商自己的 token 计（--count vendor）",
}
_DIFFER: Mapping[Language, str] = {
    "en": "{what} differ: {first} has {ours}, {run} has {theirs}",
    "zh": "{what}不同：{first} 是 {ours}，{run} 是 {theirs}",
}
_NOTHING_SHARED: Mapping[Language, str] = {
    "en": "no task and language is in all of them",
    "zh": "没有哪一种任务和语言是各次运行都有的",
}
_NONE: Mapping[Language, str] = {"en": "none", "zh": "无"}


def find_differences(runs: Sequence[Run], language: Language = "en") -> list[str]:
    """Say what keeps runs from being compared in pairs, a line each; nothing where they may be.

    Runs are compared on equal needles, haystack, template, layout, unit and counting tokenizer. One
    whose lengths are in the vendor's own tokens, or that was imported, is only ever shown.
    """
    found = []
    for run in runs:
        if run.imported is not None:
            found.append(_IMPORTED[language].format(run=run.run_id))
        if run.ratio is not None:
            found.append(_COUNTED[language].format(run=run.run_id))
    found += [
        _DIFFER[language].format(
            what=what[language],
            first=runs[0].run_id,
            ours=_cut(ours, theirs) or _NONE[language],
            run=run.run_id,
            theirs=_cut(theirs, ours) or _NONE[language],
        )
        for run in runs[1:]
        if run.imported is None and runs[0].imported is None
        for what, tell in _SAME
        for ours, theirs in [(tell(runs[0], run), tell(run, runs[0]))]
        if ours != theirs
    ]
    if len(runs) > 1 and not found and not _share(runs):
        found.append(_NOTHING_SHARED[language])
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
    return f"{before}{shown}{after}"


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


_SAME: tuple[tuple[Mapping[Language, str], Callable[[Run, Run], str]], ...] = (
    ({"en": "layouts", "zh": "排布"}, _tell_layout),
    ({"en": "needles", "zh": "针"}, _tell_needles),
    ({"en": "haystacks", "zh": "草堆"}, _tell_texts),
    ({"en": "templates", "zh": "模板"}, _tell_templates),
    ({"en": "counting tokenizers", "zh": "计数分词器"}, lambda run, _: run.tokenizer),
    ({"en": "units", "zh": "单位"}, lambda run, _: run.unit),
    ({"en": "seeds", "zh": "种子"}, lambda run, _: str(run.seed)),
)
