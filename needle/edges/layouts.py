"""The layouts: what each asks of a recipe, how many needles it takes, and what to say of it."""

from collections.abc import Iterable

from needle.contexts.gathering import SHARED_TASKS, count_gathered
from needle.contexts.grid import settle_depths
from needle.contexts.needles import Form, NeedleSource
from needle.contexts.sharing import find_crowded
from needle.edges.config import Recipe, wish_grid
from needle.edges.needlefiles import draw_needles, draw_together
from needle.words.errors import UsageError
from needle.words.types import Language, Layout, Needle, Plan, Run

_CROWDED = 0.1  # of a shared context: what more of it is needles is told


def refuse_unshared(recipe: Recipe, tasks: Iterable[str]) -> None:
    """Raise UsageError for a task whose needles can't stand together in shared contexts."""
    for task in tasks:
        if recipe.layout == "shared" and task not in SHARED_TASKS:
            raise UsageError(
                f"the task {task} can't be asked in shared contexts (--layout shared): use --task "
                f"{', '.join(SHARED_TASKS)}, or --layout classic"
            )


def count_each(layout: Layout, depths: int) -> int:
    """Return how many needles each replicate has in a layout with so many depths."""
    return count_gathered(depths) if layout == "shared" else 1


def count_of(recipe: Recipe) -> int:
    """Return how many needles each of a recipe's replicates has."""
    return count_each(recipe.layout, _count_depths(recipe))


def draw_for(
    recipe: Recipe, source: NeedleSource, language: Language, form: Form
) -> tuple[Needle, ...]:
    """Draw all needles of a recipe's replicates, replicate by replicate, for its layout.

    Raises UsageError where the source lacks the language, or has too few for the layout.
    """
    if recipe.layout == "shared":
        depths = _count_depths(recipe)
        return draw_together(source, language, recipe.seed, recipe.replicates, form, depths)
    return draw_needles(source, language, recipe.seed, recipe.replicates, form)


def draw_again(
    run: Run, source: NeedleSource, language: Language, form: Form
) -> tuple[Needle, ...]:
    """Draw what a run of needle's own asked: as many needles as it has, for its layout.

    Raises UsageError where the source lacks the language, or has too few for the layout.
    """
    seed = run.seed or 0
    if run.layout == "shared":
        depths = len(run.grid.depths)
        return draw_together(source, language, seed, run.replicates, form, depths)
    number = len(run.needles[form.task][language])
    return draw_needles(source, language, seed, number, form)


def _count_depths(recipe: Recipe) -> int:
    return len(settle_depths(wish_grid(recipe)))


def note_crowded(plan: Plan) -> list[str]:
    """Say where needles are more of a shared context than a needle in a haystack should be."""
    length, share = find_crowded(plan.trials) or (0, 0.0)
    if share <= _CROWDED:
        return []
    note = (
        f"at length {length:,} up to {share:.0%} of the text is needles: with fewer --depths or a "
        f"longer shortest length they stand among more of the haystack (docs/layouts.md)"
    )
    return [note]
