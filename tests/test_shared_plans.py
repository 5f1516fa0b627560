"""Laws 1-4 in shared contexts, on whole plans: the shipped haystacks, needles and prompts."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import tiktoken

from needle.asking.estimate import estimate
from needle.contexts.gathering import SHARED_TASKS, count_gathered
from needle.contexts.grid import GridWish
from needle.contexts.materials import Material, Settings
from needle.contexts.needles import Form
from needle.contexts.passages import read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import CHAT_OVERHEAD, build_messages, choose_template
from needle.contexts.sharing import find_crowded
from needle.contexts.tasks import text_language
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import choose_sources, draw_needles, draw_together
from needle.edges.tokens import HANZI, count_hanzi, load_counting
from needle.scoring.scorers import recall_answers
from needle.simulated.oracle import answer, learn
from needle.simulated.reader import answer as answer_by_words
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Haystack, Language, Message, Model, Plan, Trial, Unit

MODEL = Model("m", "vendor", "http://127.0.0.1:1/v1", None)
SOURCES = choose_sources(SHARED_TASKS, None)
LESSONS = learn(SOURCES.values())
DEPTHS = (0.0, 7.0, 25.0, 50.0, 66.6, 99.5, 100.0)


@cache
def haystacks() -> dict[Language, Haystack]:
    return find_haystacks(("essays",))


def material_of(
    task: str,
    language: Language,
    replicates: int = 1,
    depths: Sequence[float] = DEPTHS,
    prompt: str = "plain",
) -> Material:
    needles = draw_together(SOURCES[task], language, 0, replicates, Form(task), len(depths))
    templates = {one: load_template(prompt, one) for one in LANGUAGES}
    template = choose_template(templates, task, language)
    haystack = haystacks()[text_language(task, language)]
    return Material(language, haystack, needles, template, count_gathered(len(depths)))


def settings(
    lengths: Sequence[int] | None = None,
    depths: Sequence[float] = DEPTHS,
    *,
    unit: Unit = "tokens",
    encoding: str = "o200k_base",
    controls: bool = True,
    model: Model = MODEL,
) -> Settings:
    grid = GridWish(lengths=None if lengths is None else tuple(lengths), depths=tuple(depths))
    tokens = load_counting(encoding)
    made = Settings(model, grid, unit, tokens, HANZI, 0, 0.0, 256, controls=controls)
    return replace(made, layout="shared")


def messages_of(trial: Trial, one: Material) -> list[Message]:
    passage = read_passage(one.haystack, trial.haystack_offset, trial.cut)
    return build_messages(trial, one.template, passage)


def in_context(plan: Plan) -> list[list[Trial]]:
    """Return the trials of each context; fail where they do not follow each other."""
    columns: list[list[Trial]] = []
    for trial in plan.trials:
        if trial.control == "no_haystack":
            continue
        last = columns[-1][-1] if columns else None
        if last and (last.replicate, last.context_length) == (
            trial.replicate,
            trial.context_length,
        ):
            columns[-1].append(trial)
        else:
            columns.append([trial])
    places = [(column[0].replicate, column[0].context_length) for column in columns]
    assert len(set(places)) == len(places)
    return columns


def check_column(column: Sequence[Trial], one: Material, encoding: str) -> str:
    """Check laws 1 to 3 on one context's prompts, from their messages; return its haystack."""
    encode = tiktoken.get_encoding(encoding).encode_ordinary
    wholes, units = [], []
    for trial in column:
        contents = [message["content"] for message in messages_of(trial, one)]
        tokens = sum(len(encode(content)) for content in contents)
        assert trial.prompt_tokens == tokens
        units.append(tokens if trial.unit == "tokens" else sum(map(count_hanzi, contents)))
        assert trial.context_units == units[-1]
        wholes.append("\0".join(contents))
    assert 0 <= column[0].context_length - max(units) <= 8
    questions = [trial.needle.question for trial in column]
    assert len(set(questions)) == len(questions)
    (shared,) = {
        whole.rpartition(question)[0] for whole, question in zip(wholes, questions, strict=True)
    }
    assert len({whole.rpartition(q)[2] for whole, q in zip(wholes, questions, strict=True)}) == 1
    shape = "\0".join(content for _, content in one.template.messages)
    before, between = shape.partition("{question}")[0].split("{context}")
    assert shared.startswith(before)
    assert shared.endswith(between)
    context = shared[len(before) : len(shared) - len(between)]
    for place in column[0].places:
        context = take_out(context, place.text, one.template.separator)
    return context


def take_out(context: str, fact: str, separator: str) -> str:
    """Take one needle and its separator out of a context, in which it must stand once."""
    assert context.count(fact) == 1
    before, after = context.split(fact)
    if before:
        assert before.endswith(separator)
        return before[: len(before) - len(separator)] + after
    assert after.startswith(separator)
    return after[len(separator) :]


def check(plan: Plan, one: Material, encoding: str = "o200k_base") -> None:
    """Check laws 1 to 4 on a plan in shared contexts."""
    left: dict[int, list[str]] = {}
    for column in in_context(plan):
        asked = [trial for trial in column if trial.control is None]
        assert tuple(trial.depth_percent for trial in asked) == plan.grid.depths
        for trial in column:
            assert [(p.text, p.depth_percent, p.position) for p in trial.places] == [
                (p.text, p.depth_percent, p.position) for p in column[0].places
            ]
            mine = [place for place in trial.places if not place.other]
            assert [place.text for place in mine] == list(trial.needle.facts) * (
                trial.control is None
            )
            assert [p.depth_percent for p in mine] == [trial.depth_percent] * len(mine)
            assert [p.actual_depth_percent for p in mine] == [trial.actual_depth_percent] * len(
                mine
            )
            assert trial.needle_index is not None
            assert one.needles[trial.needle_index] == trial.needle
        left.setdefault(column[0].replicate, []).append(check_column(column, one, encoding))
    for hays in left.values():
        longest = max(hays, key=len)
        assert all(longest.startswith(hay) for hay in hays)
    keys = [key for trial in plan.trials for key in (trial.key, trial.pair)]
    assert len(set(keys)) == len(keys)
    assert not plan.same_place


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SHARED_TASKS)
@pytest.mark.parametrize("prompt", ["plain", "kamradt"])
def test_shipped_needles(task: str, language: Language, prompt: str) -> None:
    """Laws 1-4 hold for every task that shares contexts, in both languages and both prompts."""
    one = material_of(task, language, replicates=2, prompt=prompt)
    lengths = (600, 601, 777, 1_000, 2_345, 9_000)
    check(make_plan(settings(lengths), [one]), one)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_in_a_message_of_its_own(language: Language) -> None:
    """The context is shared where the question stands in another message than the context."""
    one = material_of("single", language)
    messages = (("system", "Read."), ("user", "{context}"), ("user", "So: {question} Say it."))
    one = replace(one, template=replace(one.template, messages=messages))
    check(make_plan(settings((700, 1_500)), [one]), one)


@pytest.mark.parametrize(("unit", "encoding"), [("hanzi", "o200k_base"), ("tokens", "cl100k_base")])
def test_hanzi_and_the_other_encoding(unit: Unit, encoding: str) -> None:
    """Laws 1-4 hold in hanzi, and in another encoding."""
    one = material_of("single", "zh", replicates=2)
    plan = make_plan(settings((900, 4_321), unit=unit, encoding=encoding), [one])
    check(plan, one, encoding)


@pytest.mark.parametrize(("language", "length"), [("en", 128_000), ("zh", 128_000)])
def test_long_contexts(language: Language, length: int) -> None:
    """Laws 1-4 hold in long contexts with many depths."""
    depths = [step * 100 / 34 for step in range(35)]
    one = material_of("number", language, depths=depths)
    check(make_plan(settings((length,), depths), [one]), one)


@pytest.mark.parametrize("language", LANGUAGES)
def test_needles_that_share_a_place_follow_each_other(language: Language) -> None:
    """In a text of few sentences needles follow each other, and each cell is a trial of its own."""
    depths = tuple(range(0, 101, 5))
    one = material_of("number", language, depths=depths)
    plan = make_plan(settings((900,), depths), [one])
    check(plan, one)
    cells = [trial for trial in plan.trials if trial.control is None]
    assert len(cells) == len(depths)
    assert len({trial.actual_depth_percent for trial in cells}) < len(depths)
    found = find_crowded(plan.trials)
    assert found is not None
    assert found[0] == 900
    assert 0.3 < found[1] < 0.9


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SHARED_TASKS)
def test_known_truth(task: str, language: Language) -> None:
    """Readers by words and by wordings find each needle; the one that is not there, the second."""
    one = material_of(task, language)
    for trial in make_plan(settings((1_000, 3_000)), [one]).trials:
        if trial.control == "no_haystack":
            continue
        prompt = messages_of(trial, one)[-1]["content"]
        for said in (answer(prompt, LESSONS).text, answer_by_words(prompt).text):
            share = recall_answers(trial.needle, said).share
            assert share == (1.0 if trial.control is None else 0.0)
        if trial.control:
            assert answer(prompt, LESSONS).start is None


@pytest.mark.parametrize("unit", ["tokens", "hanzi"])
@pytest.mark.parametrize("window", [4_000, 32_768])
def test_everything_fits_the_window(unit: Unit, window: int) -> None:
    """A named grid's longest prompts fit the window beside reply and overhead, and fill it."""
    one = material_of("single", "zh", replicates=2)
    plan = make_plan(settings(unit=unit, model=replace(MODEL, window=window)), [one])
    room = window - 256 - CHAT_OVERHEAD
    longest = max(trial.prompt_tokens for trial in plan.trials)
    assert room - 90 <= longest <= room


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_window_in_characters_is_never_exceeded(language: Language) -> None:
    """No prompt has more characters than a window holds."""
    one = material_of("single", language, replicates=2)
    wish = settings(model=replace(MODEL, window_characters=6_000))
    sizes = [
        sum(len(message["content"]) for message in messages_of(trial, one))
        for trial in make_plan(wish, [one]).trials
    ]
    assert 5_800 <= max(sizes) <= 6_000


def test_controls_change_no_cell() -> None:
    """With and without controls the cells are the same; each needle is asked bare, once."""
    one = material_of("single", "en", replicates=2)
    plan = make_plan(settings((800, 2_000)), [one])
    alone = make_plan(settings((800, 2_000), controls=False), [one])
    assert [trial for trial in plan.trials if trial.control is None] == list(alone.trials)
    for replicate in (0, 1):
        mine = [trial for trial in plan.trials if trial.replicate == replicate]
        bare = [trial.needle for trial in mine if trial.control == "no_haystack"]
        without = [trial.needle for trial in mine if trial.control == "no_needle"]
        needles = one.needles[replicate * one.each :][: one.each]
        assert bare == list(needles[:-1])
        assert without == [needles[-1]] * 2


def test_keys_hang_on_all_that_is_planted() -> None:
    """Another sentence or depth changes every key of its context; another length changes none."""
    one = material_of("single", "en")
    plan = make_plan(settings((800, 2_000)), [one])
    keys = {trial.key: trial for trial in plan.trials}
    longer = make_plan(settings((2_000, 5_000)), [one])
    for trial in longer.trials:
        assert (trial.key in keys) == (trial.context_length != 5_000)
    first, *rest = one.needles
    other = replace(first, facts=("The moss of Velmora is pewter.",))
    moved = (*DEPTHS[:3], 51.0, *DEPTHS[4:])
    for changed in (
        make_plan(settings((800,)), [replace(one, needles=(other, *rest))]),
        make_plan(settings((800,), moved), [one]),
    ):
        assert not {t.pair for t in changed.trials if t.cut} & {t.pair for t in plan.trials}


def test_layouts_are_never_paired() -> None:
    """No pair key of one layout is one of the other's, not even of a question without any text."""
    shared, classic = settings((800,), (50.0,)), settings((800,), (50.0,))
    classic = replace(classic, layout="classic")
    one = material_of("single", "en", depths=(50.0,))
    alone = replace(one, needles=draw_needles(SOURCES["single"], "en", 0, 1), each=1)
    assert one.needles[0] == alone.needles[0]
    pairs = [
        {t.pair for t in make_plan(s, [m]).trials} for s, m in ((shared, one), (classic, alone))
    ]
    assert not pairs[0] & pairs[1]


def test_an_ideal_cache_serves_all_but_the_questions() -> None:
    """The share told beforehand is that of the tokens up to each question but a context's first."""
    one = material_of("single", "en", replicates=2)
    plan = make_plan(settings((1_000, 4_000, 16_000)), [one])
    templates = {one.language: one.template}
    told = estimate(plan.trials, None, 256, None, templates=templates).cached_share
    cached = 0
    for column in in_context(plan):
        for trial in column[1:]:
            question = load_counting("o200k_base").count(trial.needle.question)
            cached += trial.prompt_tokens - question
    sent = sum(trial.prompt_tokens for trial in plan.trials)
    assert told == pytest.approx(cached / sent, abs=0.002)
    assert told > 0.85


def test_a_length_without_room() -> None:
    """A length that the needles of all depths fill is refused in one line that says what to do."""
    with pytest.raises(
        UsageError, match=r"150 can't be made.*of 7 depths.*fewer --depths"
    ) as caught:
        make_plan(settings((150,)), [material_of("single", "en")])
    assert "\n" not in str(caught.value)
