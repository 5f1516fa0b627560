"""What stands where on a sheet of many heatmaps, and all its words in English and Chinese. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from needle.contexts.tasks import text_language
from needle.telling.captions import (
    LANGUAGE_NAMES,
    describe_adaptive,
    describe_controls,
    describe_task,
    subtitle_layout,
    write_p,
)
from needle.telling.labels import KeyMark, Labels, find_marks, make_labels, name_marks
from needle.words.claims import Estimate
from needle.words.figures import Heatmap, Panel, Placeholder
from needle.words.types import Language

_NAMED = 3  # models that a title names; more are counted

Row = tuple[str, Language]
"""A row of a sheet: a task and a language."""

_Place = tuple[str, str]  # a panel's row and model, as the footer names them


@dataclass(frozen=True, slots=True)
class PanelLabels:
    """The words of one panel; ``waiting`` is what stands in the place of a map."""

    name: str
    recall: str
    simulated: str | None = None
    warning: str | None = None
    lengths_axis: str = ""
    waiting: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's panels in their places, with all words.

    ``panels`` are rows of columns, None where there is no result; ``labels`` has the words for
    each place. ``shared`` are the words that the whole sheet has once.
    """

    rows: tuple[str, ...]
    panels: tuple[tuple[Panel | None, ...], ...]
    labels: tuple[tuple[PanelLabels, ...], ...]
    shared: Labels


def make_sheet(
    panels: Sequence[Panel | Placeholder], language: Language, title: str | None = None
) -> Sheet:
    """Arrange panels, a column a model and a row a task and language, and write their words.

    Columns are in the order given, one a run. A second panel of a row under the same name begins
    a column of its own. Raises ValueError without any panel.
    """
    if not panels:
        raise ValueError("a sheet needs a panel")
    columns, rows, places = _arrange(panels)
    grid = tuple(tuple(places.get((x, row)) for x in range(len(columns))) for row in rows)
    gaps = [p for p in panels if isinstance(p, Placeholder)]
    labels = tuple(
        tuple(
            _label_panel(panel, language)
            if panel is not None
            else _label_gap(name, row, gaps, language)
            for name, panel in zip(columns, line, strict=True)
        )
        for row, line in zip(rows, grid, strict=True)
    )
    names = tuple(name_row(row, rows, language) for row in rows)
    return Sheet(names, grid, labels, _share(columns, names, grid, language, title))


def _arrange(
    panels: Sequence[Panel | Placeholder],
) -> tuple[list[str], list[Row], dict[tuple[int, Row], Panel]]:
    """Return the columns' models, the rows, and which panel stands where."""
    columns: list[str] = []
    places: dict[tuple[int, Row], Panel] = {}
    rows: list[Row] = []
    for panel in panels:
        if isinstance(panel, Placeholder):
            if panel.model not in columns:
                columns.append(panel.model)
            continue
        heatmap = panel.heatmap
        row = (heatmap.task, heatmap.language)
        if row not in rows:
            rows.append(row)
        free = [
            x for x, name in enumerate(columns) if name == panel.name and (x, row) not in places
        ]
        if not free:
            free = [len(columns)]
            columns.append(panel.name)
        places[free[0], row] = panel
    if not rows:
        said = [p.language for p in panels if isinstance(p, Placeholder) and p.language]
        rows = [("single", each) for each in dict.fromkeys(said)] or [("single", "en")]
    return columns, rows, places


def name_row(row: Row, rows: Sequence[Row], language: Language) -> str:
    """Name a row by its text's language, and by its task where the sheet has several."""
    text = LANGUAGE_NAMES[language][text_language(*row)]
    several = len({task for task, _ in rows}) > 1
    if language == "zh":
        return f"{text}文本" + (f"（任务：{row[0]}）" if several else "")
    return f"{text} text" + (f" (task {row[0]})" if several else "")


def _label_panel(panel: Panel, language: Language) -> PanelLabels:
    heatmap = panel.heatmap
    own = make_labels(heatmap, language)
    return PanelLabels(
        name=panel.name + subtitle_layout(heatmap, language),
        recall=_write_recall(heatmap, panel.recall, language),
        simulated=own.simulated,
        warning=own.warning,
        lengths_axis=own.lengths_axis,
    )


def _write_recall(heatmap: Heatmap, recall: Estimate | None, language: Language) -> str:
    value = heatmap.recall if recall is None else recall.value
    if value is None:
        return "尚无已评分的回答" if language == "zh" else "no scored replies"
    words = "召回率" if language == "zh" else "recall"
    if recall is None or recall.low is None or recall.high is None:
        return f"{words} {value:.1%}"
    return f"{words} {value:.1%} [{recall.low:.1%}, {recall.high:.1%}]"


def _label_gap(name: str, row: Row, gaps: Sequence[Placeholder], language: Language) -> PanelLabels:
    said = [gap.text for gap in gaps if gap.model == name and gap.language in (None, row[1])]
    text = LANGUAGE_NAMES[language][text_language(*row)]
    nothing = f"没有{text}文本的结果" if language == "zh" else f"no result in {text} text"
    return PanelLabels(name=name, recall="", waiting=said[0] if said else nothing)


def _share(
    columns: Sequence[str],
    rows: Sequence[str],
    grid: Sequence[Sequence[Panel | None]],
    language: Language,
    title: str | None,
) -> Labels:
    """Write what the sheet says once: its title, its axes, its key and its footer."""
    there = [panel for line in grid for panel in line if panel is not None]
    by_column = [panel for column in zip(*grid, strict=True) for panel in column if panel]
    models = list(dict.fromkeys([panel.heatmap.model for panel in by_column] or columns))
    chinese, one = language == "zh", len(models) == 1
    who = models[0] if one else "Each"
    own = make_labels(there[0].heatmap, language) if there else None
    asked = {describe_task(panel.heatmap, language) for panel in there}
    task = asked.pop() if len(asked) == 1 else ("检索插入的事实" if chinese else "To Do Retrieval")
    axes = {make_labels(panel.heatmap, language).lengths_axis for panel in there}
    layouts = {subtitle_layout(panel.heatmap, language) for panel in there}
    layout = layouts.pop() if len(layouts) == 1 else ""
    return Labels(
        title=_write_title(models, language) if title is None else title,
        subtitle=f"在不同上下文长度与文档深度下{layout}，让{f' {who} ' if one else '各模型'}{task}"
        if chinese
        else f"Asking {who} {task} Across Context Lengths & Document Depth{layout}",
        simulated=None,
        warning=None,
        lengths_axis=axes.pop() if len(axes) == 1 else "",
        depths_axis=own.depths_axis if own else "",
        top=own.top if own else "",
        bottom=own.bottom if own else "",
        colour_bar=own.colour_bar if own else "",
        key=_write_key(there, language),
        footer=_write_footer(rows, grid, language),
    )


def _write_title(models: Sequence[str], language: Language) -> str:
    if language == "zh":
        named = "、".join(models) if len(models) <= _NAMED else f"{len(models)} 个模型"
        return f"“大海捞针”压力测试：{named}"
    named = " & ".join(filter(None, [", ".join(models[:-1]), models[-1]]))
    if len(models) > _NAMED:
        named = f"{len(models)} Models"
    return f'Pressure Testing {named} via "Needle In A HayStack"'


def _write_key(panels: Sequence[Panel], language: Language) -> tuple[tuple[KeyMark, str], ...]:
    cells = [cell for panel in panels for cell in panel.heatmap.cells]
    own = all(panel.heatmap.imported is None for panel in panels)
    adaptive = any(panel.heatmap.adaptive for panel in panels)
    words = name_marks(language, imported=not own, adaptive=adaptive)
    key: list[tuple[KeyMark, str]] = [(mark, words[mark]) for mark in find_marks(cells)]
    if any(panel.weak for panel in panels):
        dashed = (
            "虚线框：由数据找出的薄弱区"
            if language == "zh"
            else ("dashed: weak region, found from the data")
        )
        key.append(("weak", dashed))
    return tuple(key)


def _write_footer(
    rows: Sequence[str], grid: Sequence[Sequence[Panel | None]], language: Language
) -> tuple[tuple[str, ...], ...]:
    """Give each panel's results, a line a row, then how they were made."""
    colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
    lines: list[tuple[str, ...]] = []
    for row, line in zip(rows, grid, strict=True):
        items = [
            f"{panel.name}{colon}{comma.join(list_results(panel, language))}"
            for panel in line
            if panel is not None
        ]
        if items:
            label = f"{row}{colon}" if len(rows) > 1 else ""
            lines.append((label + items[0], *items[1:]))
    return (*lines, *describe_setups(rows, grid, language))


def describe_setups(
    rows: Sequence[str], grid: Sequence[Sequence[Panel | None]], language: Language
) -> tuple[tuple[str, ...], ...]:
    """Say how panels were made, a line for those alike in it: the line of all has no names."""
    every: list[_Place] = []
    setups: dict[str, list[_Place]] = {}  # facts, with where they hold
    for row, line in zip(rows, grid, strict=True):
        for panel in filter(None, line):
            place = row, panel.name
            every.append(place)
            for fact in list_setup(panel, language):
                setups.setdefault(fact, []).append(place)
    groups: dict[tuple[_Place, ...], list[str]] = {}
    for fact, places in setups.items():
        groups.setdefault(tuple(places), []).append(fact)
    lines = []
    for some, facts in sorted(groups.items(), key=lambda group: -len(group[0])):
        whose = _name_places(some, every, language)
        colon = "：" if language == "zh" else ": "
        lines.append(((whose and f"{whose}{colon}") + facts[0], *facts[1:]))
    return tuple(lines)


def _name_places(places: Sequence[_Place], every: Sequence[_Place], language: Language) -> str:
    """Name some of all panels: as all, as rows or as models where they are whole ones."""
    within = Counter(places)
    if within == Counter(every):
        return ""
    comma = "、" if language == "zh" else ", "
    for axis in (0, 1):
        chosen = {place[axis] for place in places}
        if within == Counter(place for place in every if place[axis] in chosen):
            return comma.join(dict.fromkeys(place[axis] for place in places))
    form = "{1}（{0}）" if language == "zh" else "{1} ({0})"
    return comma.join(form.format(*place) for place in places)


def list_results(panel: Panel, language: Language) -> list[str]:
    """Return what a footer says of a panel's results: recall, what is left out, weak region."""
    own = make_labels(panel.heatmap, language)
    facts = [fact for fact in own.footer[0] if fact != own.simulated]
    if panel.weak is not None:
        inside, outside, p = panel.weak.inside, panel.weak.outside, write_p(panel.weak.p_value)
        facts.append(
            f"薄弱区内 {inside:.1%}，区外 {outside:.1%}（扫描检验 {p}）"
            if language == "zh"
            else f"weak region {inside:.1%} inside and {outside:.1%} outside (scan test, {p})"
        )
    facts += describe_adaptive(panel.heatmap, language)
    return facts + list(describe_controls(panel.heatmap, language))


def list_setup(panel: Panel, language: Language) -> list[str]:
    """Return what a footer says of how a panel was made: needle, text, unit, date, interval."""
    facts = list(make_labels(panel.heatmap, language).footer[-1])
    if panel.recall is not None and panel.recall.low is not None:
        facts.append(describe_scope(panel.recall, language))
    return facts


def describe_scope(estimate: Estimate, language: Language) -> str:
    """Say what an interval in brackets is over: all needles and texts, or this one draw alone."""
    if language == "zh":
        over = "推及其他的针与文本"
        if estimate.scope == "draw":
            over = "仅就这一根针、这一处文本而言"
        return f"[ ] 为 95% 区间（{over}）"
    over = "over needles and places that might have been drawn"
    if estimate.scope == "draw":
        over = "for this one needle in this one text alone"
    return f"[ ]: 95% interval {over}"
