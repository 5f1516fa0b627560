"""Laws 1-4 on whole plans: the shipped haystacks, needles and prompts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import tiktoken

from needle.contexts.grid import GridWish
from needle.contexts.materials import Material, Settings
from needle.contexts.needles import Form
from needle.contexts.passages import read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import CHAT_OVERHEAD, build_messages, choose_template
from needle.contexts.tasks import FAMILIES, TASKS, text_language
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import choose_sources, draw_needles, load_needle_source
from needle.edges.tokens import HANZI, count_hanzi, load_counting
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Haystack, Language, Message, Model, Plan, Trial, Unit

CORPORA = Path(__file__).resolve().parents[1].parent / "shared" / "corpora"
MODEL = Model("m", "vendor", "http://127.0.0.1:1/v1", None)


@cache
def haystacks(name: str = "essays") -> dict[Language, Haystack]:
    return find_haystacks((name,))


def material(
    language: Language,
    *,
    haystack: Haystack | None = None,
    needle: str = "fictional",
    prompt: str = "plain",
    replicates: int = 1,
) -> Material:
    return Material(
        language,
        haystack or haystacks()[language],
        draw_needles(load_needle_source(needle), language, 0, replicates),
        load_template(prompt, language),
    )


def material_of(task: str, language: Language, replicates: int = 1) -> Material:
    """Return a task's material as a run has it by default."""
    (source,) = choose_sources((task,), None).values()
    form = Form(task, FAMILIES[task].default)
    needles = draw_needles(source, language, 0, replicates, form)
    templates = {one: load_template("plain", one) for one in LANGUAGES}
    template = choose_template(templates, task, language)
    return Material(language, haystacks()[text_language(task, language)], needles, template)


def settings(
    lengths: Sequence[int] | None = None,
    depths: Sequence[float] = (0, 50, 100),
    *,
    unit: Unit = "tokens",
    encoding: str = "o200k_base",
    window: int | None = None,
    grid: GridWish | None = None,
) -> Settings:
    grid = grid or GridWish(lengths=tuple(lengths or (1_000,)), depths=tuple(depths))
    model = replace(MODEL, window=window)
    return Settings(model, grid, unit, load_counting(encoding), HANZI, 0, 0.0, 256)


def messages_of(trial: Trial, one: Material) -> list[Message]:
    passage = read_passage(one.haystack, trial.haystack_offset, trial.cut)
    return build_messages(trial, one.template, passage)


def count_outside(encoding: str, messages: Sequence[Message]) -> int:
    """Count each final content whole, with tiktoken alone."""
    encode = tiktoken.get_encoding(encoding).encode_ordinary
    return sum(len(encode(message["content"])) for message in messages)


def context_of(trial: Trial, one: Material, messages: Sequence[Message]) -> str:
    """Cut a prompt's context out of its message by the template's own text."""
    shape = next(content for _, content in one.template.messages if "{context}" in content)
    before, after = shape.replace("{question}", trial.needle.question).split("{context}")
    (content,) = (
        message["content"]
        for message, (_, wording) in zip(messages, one.template.messages, strict=True)
        if "{context}" in wording
    )
    assert content.startswith(before)
    assert content.endswith(after)
    return content[len(before) : len(content) - len(after)]


def take_out(trial: Trial, one: Material, context: str) -> str:
    """Take each insert and its separator out of a context, and return the haystack left."""
    separator = one.template.separator
    for place in trial.places:
        assert context.count(place.text) == 1
        before, after = context.split(place.text)
        if before:
            assert before.endswith(separator)
            context = before[: len(before) - len(separator)] + after
        else:
            assert after.startswith(separator)
            context = after[len(separator) :]
    return context


def check(plan: Plan, one: Material, encoding: str) -> None:
    """Check laws 1-3 on every prompt of one language's plan, from its messages alone."""
    left: dict[int, list[str]] = {}
    for trial in plan.trials:
        messages = messages_of(trial, one)
        tokens = count_outside(encoding, messages)
        assert trial.prompt_tokens == tokens
        if trial.unit == "hanzi":
            units = sum(count_hanzi(message["content"]) for message in messages)
        else:
            units = tokens
        assert trial.context_units == units
        assert 0 <= trial.context_length - units <= 8
        context = context_of(trial, one, messages)
        left.setdefault(trial.replicate, []).append(take_out(trial, one, context))
        if trial.depth_percent == 0:
            assert context.startswith(trial.needle.facts[0])
        if trial.depth_percent == 100:
            assert context.endswith(trial.needle.facts[-1])
        assert messages[-1]["content"].count(trial.needle.question) == 1
        if one.template.name == "plain":
            assert messages[-1]["content"].endswith(trial.needle.question)
    for hays in left.values():
        longest = max(hays, key=len)
        assert all(longest.startswith(hay) for hay in hays)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("prompt", ["plain", "kamradt"])
@pytest.mark.parametrize("needle", ["fictional", "san-francisco"])
def test_shipped_prompts(language: Language, encoding: str, prompt: str, needle: str) -> None:
    """Laws 1-3 hold for every shipped prompt, in both languages and both encodings."""
    one = material(language, needle=needle, prompt=prompt, replicates=3)
    lengths = (500, 501, 502, 503, 777, 1_000, 2_345, 5_000)
    depths = (0, 3, 25, 50, 66.6, 99.5, 100)
    check(make_plan(settings(lengths, depths, encoding=encoding), [one]), one, encoding)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_every_family(task: str, language: Language) -> None:
    """Laws 1-3 hold for every family's default needle, in both languages."""
    one = material_of(task, language, replicates=2)
    lengths = (700, 701, 1_000, 2_345, 9_000)
    check(make_plan(settings(lengths, (0, 7, 50, 93, 100)), [one]), one, "o200k_base")


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_hanzi(encoding: str) -> None:
    """In hanzi a length is the Chinese characters and marks of all contents, to eight less."""
    one = material("zh", replicates=2)
    plan = make_plan(
        settings((500, 1_000, 4_321), (0, 40, 100), unit="hanzi", encoding=encoding), [one]
    )
    check(plan, one, encoding)


@pytest.mark.parametrize(
    ("language", "encoding", "length", "depths", "unit"),
    [
        ("en", "o200k_base", 128_000, (0, 50, 100), "tokens"),
        ("zh", "cl100k_base", 128_000, (0, 50, 100), "tokens"),
        ("zh", "o200k_base", 200_000, (30, 100), "hanzi"),
        ("zh", "o200k_base", 1_000_000, (97,), "tokens"),
        ("en", "cl100k_base", 1_000_000, (42,), "tokens"),
        ("en", "o200k_base", 2_000_000, (70,), "tokens"),
    ],
)
def test_long_contexts(
    language: Language, encoding: str, length: int, depths: tuple[float, ...], unit: Unit
) -> None:
    """Laws 1-3 hold up to two million tokens, through many passes of the shipped text."""
    one = material(language)
    plan = make_plan(settings((length,), depths, encoding=encoding, unit=unit), [one])
    check(plan, one, encoding)
    once = sum(len(text) for _, text in one.haystack.files)
    assert plan.repeats[0].passes == pytest.approx(max(t.cut for t in plan.trials) / once, abs=0.01)


@pytest.mark.parametrize(
    ("place", "language"),
    [
        ("en/paul-graham-essays", "en"),
        ("zh/journey-to-the-west.txt", "zh"),
        ("zh/story-of-the-stone.txt", "zh"),
    ],
)
def test_shared_corpora(place: str, language: Language, tmp_path: Path) -> None:
    """Laws 1-3 hold on the corpora as they come, old Chinese prose and essays alike."""
    source = CORPORA / place
    if not source.exists():
        pytest.skip(f"{place} is not at hand")
    if source.is_file():
        (tmp_path / "text.txt").write_bytes(source.read_bytes())
        source = tmp_path
    one = material(language, haystack=find_haystacks((str(source),))[language], replicates=2)
    check(make_plan(settings((1_000, 30_000), (0, 21, 50, 88, 100)), [one]), one, "o200k_base")


@pytest.mark.parametrize("unit", ["tokens", "hanzi"])
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("window", [2_000, 8_192, 32_768])
def test_everything_fits_the_window(unit: Unit, encoding: str, window: int) -> None:
    """A named grid's prompts fit the window beside reply and overhead, in hanzi as in tokens."""
    one = material("zh", replicates=3)
    plan = make_plan(
        settings(unit=unit, encoding=encoding, window=window, grid=GridWish("published")), [one]
    )
    room = window - 256 - CHAT_OVERHEAD
    longest = max(trial.prompt_tokens for trial in plan.trials)
    assert room - 64 <= longest <= room
    assert plan.grid.lengths[-1] == max(trial.context_length for trial in plan.trials)


def test_hanzi_fit_where_few_are_spread_thin() -> None:
    """A haystack whose beginning has few hanzi to its tokens overflows no window either."""
    english = "The tides rise and fall twice a day and nobody here minds it much at all。"
    text = english * 440 + "\n\n" + "潮水涨落，大家都不在意。" * 1_500
    one = material("zh", haystack=Haystack("h", "zh", (("a", text),), "0" * 64, "h"))
    plan = make_plan(settings(unit="hanzi", window=8_192, grid=GridWish("published")), [one])
    assert max(trial.prompt_tokens for trial in plan.trials) <= 8_192 - 256 - CHAT_OVERHEAD


@pytest.mark.parametrize(
    ("wish", "unit", "message"),
    [
        (settings((1_000, 7_905), window=8_192), "tokens", "past the window.*lengths\\[1\\]"),
        (settings((9_000,), window=8_192, unit="hanzi"), "hanzi", "past the window"),
        (settings((40,)), "tokens", "40 can't be made"),
        (settings(window=200), "tokens", "no room"),
        (settings(window=320, unit="hanzi"), "hanzi", "too small"),
    ],
)
def test_lengths_that_cannot_be(wish: Settings, unit: Unit, message: str) -> None:
    """A length past the window, or with no room for text, is refused in one line."""
    assert wish.unit == unit
    with pytest.raises(UsageError, match=message) as caught:
        make_plan(wish, [material("zh")])
    assert "\n" not in str(caught.value)


def test_typed_lengths_up_to_the_window() -> None:
    """The last length that the window holds is taken, one more is refused."""
    one, room = material("en"), 8_192 - 256 - CHAT_OVERHEAD
    plan = make_plan(settings((room,), window=8_192), [one])
    assert {trial.context_length for trial in plan.trials} == {room}
    with pytest.raises(UsageError):
        make_plan(settings((room + 1,), window=8_192), [one])


def test_haystack_that_holds_the_needle() -> None:
    """A haystack in which the needle already stands is refused."""
    one = material("en")
    fact = one.needles[0].facts[0]
    text = f"Once upon a time. {fact} And so on. " * 9
    with pytest.raises(UsageError, match="already holds the needle"):
        make_plan(settings(), [replace(one, haystack=Haystack("h", "en", (("a", text),), "", "h"))])


def test_haystack_without_hanzi() -> None:
    """A haystack with nothing to count in the run's unit is refused, not read for ever."""
    haystack = Haystack("h", "zh", (("a", "nothing but letters here"),), "", "h")
    with pytest.raises(UsageError, match="no hanzi to count"):
        make_plan(settings(unit="hanzi"), [material("zh", haystack=haystack)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_square_has_one_trial(language: Language) -> None:
    """Every cell of the grid is a trial or falls on the same place as one, never both."""
    lengths, depths = (500, 700), tuple(range(0, 101, 2))
    one = material(language, replicates=2)
    plan = make_plan(settings(lengths, depths), [one])
    asked = Counter((t.replicate, t.context_length, t.depth_percent) for t in plan.trials)
    merged = Counter((s.replicate, s.context_length, s.depth_percent) for s in plan.same_place)
    assert asked + merged == Counter((r, n, d) for r in (0, 1) for n in lengths for d in depths)
    assert merged
    for same in plan.same_place:
        assert (same.replicate, same.context_length, same.drawn_as) in asked
        assert same.drawn_as < same.depth_percent
    places = [(t.replicate, t.context_length, t.places[0].position, t.cut) for t in plan.trials]
    assert len(set(places)) == len(places)


def test_keys_do_not_hang_on_the_grid() -> None:
    """A cell has the same keys in whichever grid it stands, so that resume finds it again."""
    one = material("en", replicates=2)
    wide = make_plan(settings((800, 1_000, 3_000), (0, 30, 60, 100)), [one])
    narrow = make_plan(settings((1_000,), (60,)), [one])
    keys = {(t.replicate, t.context_length, t.depth_percent): t for t in wide.trials}
    assert len({trial.key for trial in wide.trials}) == len(wide.trials)
    for trial in narrow.trials:
        assert trial == keys[trial.replicate, 1_000, 60]


def test_order() -> None:
    """Trials are sent replicate by replicate, language by language, short contexts first."""
    both = [material(language, replicates=2) for language in LANGUAGES]
    plan = make_plan(settings((2_000, 1_000)), both)
    order = [(t.replicate, LANGUAGES.index(t.language), t.context_length) for t in plan.trials]
    assert order == sorted(order)
    assert {repeat.language for repeat in plan.repeats} == set(LANGUAGES)


@pytest.mark.parametrize("unit", ["tokens", "hanzi"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_window_in_characters_is_never_exceeded(language: Language, unit: Unit) -> None:
    """No prompt has more characters than a window holds, the longest nearly as many."""
    if (language, unit) == ("en", "hanzi"):
        return
    one = material(language, replicates=2)
    wish = settings(grid=GridWish(), unit=unit)
    wish = replace(wish, model=replace(MODEL, window_characters=5_000))
    plan = make_plan(wish, [one])
    sizes = [sum(len(m["content"]) for m in messages_of(trial, one)) for trial in plan.trials]
    assert max(sizes) <= 5_000
    assert max(sizes) >= 4_850
    with pytest.raises(UsageError, match="5,000 characters of the prompt"):
        make_plan(replace(wish, grid=GridWish(lengths=(9_000,))), [one])
