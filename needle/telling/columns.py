"""The tidy table's columns: their names, order and types, which stay as they are. Pure.

docs/table.md says what each means. New columns come at the end.
"""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["text", "whole", "number", "truth"]

RUN_COLUMN = "run"
"""The first column where several runs are in one table: the run-id."""

COLUMNS: Mapping[str, Kind] = {
    "model": "text",
    "task": "text",
    "language": "text",
    "layout": "text",
    "control": "text",
    "replicate": "whole",
    "context_length": "whole",
    "depth_percent": "number",
    "actual_depth_percent": "number",
    "scorer": "text",
    "score": "number",
    "verdict": "text",
    "explanation": "text",
    "response": "text",
    "trial": "text",
    "pair": "text",
    "needle": "text",
    "haystack": "text",
    "haystack_offset": "whole",
    "unit": "text",
    "tokenizer": "text",
    "prompt_tokens": "whole",
    "endpoint_prompt_tokens": "whole",
    "cached_tokens": "whole",
    "cache_write_tokens": "whole",
    "completion_tokens": "whole",
    "reasoning_tokens": "whole",
    "reasoning": "text",
    "finish_reason": "text",
    "served_model": "text",
    "request_id": "text",
    "attempts": "whole",
    "latency_s": "number",
    "started_at": "text",
    "needles": "text",
    "endpoint_ratio": "number",
    "failure_kind": "text",
    "failure_status": "whole",
    "failure_message": "text",
    "failure_permanent": "truth",
    "cost_amount": "number",
    "cost_currency": "text",
    "count": "text",
    "judge_model": "text",
    "judge_cost_amount": "number",
    "judge_cost_currency": "text",
    "judge_failure": "text",
    "needle_index": "whole",
    "batch": "text",
    "batch_request": "text",
}
