"""Batches that do not give all they say to have answered: what is paid for is not asked again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from batch_runs import TRIALS, each_once, finish_batches, read_outcomes
from batch_serving import Vendor
from driving import Call


def test_a_completed_batch_without_counts_and_files_is_not_given_up(
    sent: Path, vendor: Vendor, call: Call
) -> None:
    """A batch that is completed, and says neither how many it answered nor where, still waits."""
    finish_batches(vendor, sent, call)
    batch = vendor.batches["batch_1"]
    del batch["request_counts"]
    output, batch["output_file_id"] = batch["output_file_id"], None
    ended = call("batch", "collect", sent)
    assert ended.status == 3
    assert "names no file" in ended.faults[0]
    batch["output_file_id"] = output
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)


@pytest.mark.parametrize(
    ("lose", "left"),
    [
        (lambda data: data[:0] + b"<html>log in</html>", 0),
        (lambda data: b"".join(data.splitlines(keepends=True)[:4]), 4),
        (lambda data: data[:-40], TRIALS - 1),
    ],
)
def test_answers_that_are_lacking_are_not_paid_for_again(
    lose: Callable[[bytes], bytes], left: int, sent: Path, vendor: Vendor, call: Call
) -> None:
    """A file with fewer answers than its batch gave is taken as far as it goes, and fetched anew.

    Nothing of it is asked again until the vendor shows the others, or the user says so.
    """
    finish_batches(vendor, sent, call)
    output = vendor.batches["batch_1"]["output_file_id"]
    name, data = vendor.files[output]
    vendor.files[output] = (name, lose(data))
    ended = call("batch", "collect", sent)
    assert ended.status == 3
    assert f"answered {TRIALS} requests, and its files hold {left}" in ended.faults[0]
    assert len(read_outcomes(sent)) == left
    assert call("resume", sent).status == 1
    assert len(vendor.bodies) == TRIALS
    vendor.files[output] = (name, data)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)
    assert len(vendor.bodies) == TRIALS
