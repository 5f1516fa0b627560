"""Statistics and comparisons as rows of plain values, for a table of them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from needle.telling.columns import Kind
from needle.words.claims import Comparison, EffectiveLength, Estimate, Statistics

STATISTICS: Mapping[str, Kind] = {
    "model": "text",
    "task": "text",
    "language": "text",
    "kind": "text",
    "length": "whole",
    "depth": "number",
    "value": "number",
    "low": "number",
    "high": "number",
    "scored": "whole",
    "replicates": "whole",
    "scope": "text",
    "threshold": "number",
    "state": "text",
    "held_at": "whole",
    "lost_at": "whole",
}
"""The columns of a table of statistics: one row an estimate, told apart by ``kind``."""

TESTS: Mapping[str, Kind] = {
    "of": "text",
    "first": "text",
    "second": "text",
    "task": "text",
    "language": "text",
    "pairs": "whole",
    "replicates": "whole",
    "difference": "number",
    "low": "number",
    "high": "number",
    "only_first": "whole",
    "only_second": "whole",
    "test": "text",
    "p_value": "number",
    "p_adjusted": "number",
    "detectable": "number",
    "scope": "text",
}
"""The columns of a table of comparisons."""


def list_estimates(statistics: Statistics) -> Iterator[dict[str, Any]]:
    """Yield a row for each estimate: overall, base, by length, by depth, by cell, and effective.

    The value of an effective length is a length, and so are its ends; others are shares of 1.
    """
    head = {
        "model": statistics.model,
        "task": statistics.task,
        "language": statistics.language,
    }
    yield {**head, "kind": "overall", **_write(statistics.overall)}
    if statistics.base is not None:
        yield {**head, "kind": "base", **_write(statistics.base)}
    for along in statistics.lengths:
        yield {**head, "kind": "length", "length": round(along.at), **_write(along.estimate)}
    for along in statistics.depths:
        yield {**head, "kind": "depth", "depth": along.at, **_write(along.estimate)}
    for length, depth, estimate in statistics.cells:
        yield {**head, "kind": "cell", "length": length, "depth": depth, **_write(estimate)}
    for effective in statistics.effective:
        yield {**head, "kind": f"effective_{effective.definition}", **_write_length(effective)}


def _write(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "scored": estimate.scored,
        "replicates": estimate.replicates,
        "scope": estimate.scope,
    }


def _write_length(effective: EffectiveLength) -> dict[str, Any]:
    return {
        "value": effective.length,
        "low": effective.low,
        "high": effective.high,
        "held_at": effective.held_at,
        "lost_at": effective.lost_at,
        "scope": effective.scope,
        "threshold": effective.threshold,
        "state": effective.state,
    }


def list_test(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's row: the second less the first, in shares of 1."""
    difference = comparison.difference
    return {
        "of": comparison.of,
        "first": comparison.first,
        "second": comparison.second,
        "task": comparison.task,
        "language": comparison.language,
        "pairs": comparison.pairs,
        "replicates": comparison.replicates,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "test": comparison.test,
        "p_value": comparison.p_value,
        "p_adjusted": comparison.p_adjusted,
        "detectable": comparison.detectable,
        "scope": difference.scope,
    }
