"""How each vendor behaves, as data: what it refuses, how it words failures, where counts stand.

Words are those of a vendor's documentation or of users' reports, which configs/models/ names;
where they could not be found, UNWORDED stands for them, and the status alone says what happened.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving import Answer, Body

ANSWER = "The ferry leaves at nine."
THOUGHT = "Let me look for the ferry."
PROMPT_TOKENS, CACHED_TOKENS = 1_024, 512
ANY = object()
UNWORDED = "[its words for this are not known]"

WRITTEN_TOKENS = 256
BOTH_IN_DETAILS = {
    "prompt_tokens_details": {
        "cached_tokens": CACHED_TOKENS,
        "cache_write_tokens": WRITTEN_TOKENS,
    }
}
AS_LITELLM_TELLS = {  # Anthropic's names, and OpenAI's in the details
    "prompt_tokens_details": {
        "cached_tokens": CACHED_TOKENS,
        "cache_creation_tokens": WRITTEN_TOKENS,
    },
    "cache_creation_input_tokens": WRITTEN_TOKENS,
    "cache_read_input_tokens": CACHED_TOKENS,
}
IN_DETAILS = {"prompt_tokens_details": {"cached_tokens": CACHED_TOKENS}}
IN_USAGE = {"cached_tokens": CACHED_TOKENS}
IN_HITS = {"prompt_cache_hit_tokens": CACHED_TOKENS, "prompt_cache_miss_tokens": 512}


def fail(status: int, message: str, kind: str | None = None, code: Any = None) -> Answer:
    """Return an error in OpenAI's shape, which most vendors keep to."""
    error = {"message": message, "type": kind, "code": code}
    return Answer(status, json.dumps({"error": error}, ensure_ascii=False))


def fail_google(status: int, message: str, name: str) -> Answer:
    """Return an error in Google's shape: a list with one in it."""
    error = {"code": status, "message": message, "status": name}
    return Answer(status, json.dumps([{"error": error}]))


@dataclass(frozen=True)
class Contract:
    """One vendor's behaviour towards one model.

    ``refused`` are parameters with a value (or ANY) that it turns down, with its words.
    ``needed`` are parameters without which it turns a request down, or answers it otherwise
    than is meant, which the stand-in turns down too. ``busy`` is a failure that passes, and
    ``wait_s`` what it asks to wait. ``cached`` is where cached tokens stand in the usage,
    ``thought`` the field of a message that holds what the model thinks.
    """

    model: str
    refused: tuple[tuple[str, Any, str], ...] = ()
    needed: tuple[tuple[str, Any, str], ...] = ()
    busy: Answer | None = None
    wait_s: float | None = None
    overflow: Answer | None = None
    filtered: Answer | None = None
    broke: Answer | None = None
    cached: Mapping[str, Any] = field(default_factory=dict)
    thought: str = ""

    def refuse(self, body: Body) -> Answer | None:
        """Return how the vendor turns a request down for what is in it; None if it does not."""
        for name, value, words in self.refused:
            if name in body and value in (ANY, body[name]):
                return fail(400, words, "invalid_request_error")
        for name, value, words in self.needed:
            if body.get(name) != value:
                return fail(400, words, "invalid_request_error")
        return None

    def answer(self) -> Answer:
        """Return a completion as the vendor shapes it."""
        message = {"role": "assistant", "content": ANSWER}
        if self.thought:
            message[self.thought] = THOUGHT
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 9, **self.cached}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return Answer(text=json.dumps({"id": "c", "choices": [choice], "usage": usage}))


_LIMIT = "Your account reached max request, please try again after 1 seconds"
_KIMI_BUSY = "The engine is currently overloaded, please try again later"
_KIMI_FULL = "Your request exceeded model token limit: 262144 (requested: 269030)"
_KIMI_RISK = "The request was rejected because it was considered high risk"
_KIMI_FIXED = "invalid temperature: only 1 is allowed for this model"
_KIMI_BROKE = fail(429, UNWORDED, "exceeded_current_quota_error")

_GPT_FULL = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in "
    "128017 tokens."
)
_GPT_NO_MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)
_GPT_NO_TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0 with this model. "
    "Only the default (1) value is supported."
)
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_GPT_BROKE = fail(429, _QUOTA, "insufficient_quota", "insufficient_quota")

_CLAUDE_FIXED = "`temperature` is deprecated for this model."
_CLAUDE_FULL = "prompt is too long: 208310 tokens > 200000 maximum"
_CLAUDE_BOTH = "input length and `max_tokens` exceed context limit: 997000 + 4096 > 1000000"
_CLAUDE_BROKE = fail(400, "Your credit balance is too low to access the Anthropic API.")
_LITELLM_FULL = f"litellm.ContextWindowExceededError: AnthropicException - {_CLAUDE_FULL}"

_GEMINI_FULL = fail_google(
    400,
    "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
    "INVALID_ARGUMENT",
)
_GEMINI_BUSY = fail_google(429, f"{_QUOTA} Please retry in 34.5s.", "RESOURCE_EXHAUSTED")

_BOTH_PARTS = (
    "This model's maximum context length is 65536 tokens. However, you requested 66343 tokens "
    "(62247 in the messages, 4096 in the completion)."
)
_SGLANG_FULL = "The input (61709 tokens) is longer than the model's context length (40960 tokens)."
_QWEN_THINKS = "parameter.enable_thinking must be set to false for non-streaming calls"
_QWEN_FULL = fail(400, "Range of input length should be [1, 991808]", code="InvalidParameter")
_QWEN_RISK = fail(400, UNWORDED, code="data_inspection_failed")
_QWEN_BUSY = fail(429, _QUOTA, "insufficient_quota", "insufficient_quota")
_QWEN_BROKE = fail(
    400, "Access denied, please make sure your account is in good standing.", "Arrearage"
)
_GLM_BUSY = "该模型当前访问量过大，请您稍后再试"
_GLM_RISK = "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语"
_MODERATED = "Your chosen model requires moderation and your input was flagged"
_PINNED = {"order": ["moonshotai"], "allow_fallbacks": False}
_OFF = {"type": "disabled"}

CONTRACTS = (
    Contract(
        model="moonshot-v1-128k",
        needed=(("max_tokens", 256, UNWORDED),),  # without it 1,024 are reserved
        busy=fail(429, _LIMIT, "rate_limit_reached_error"),
        wait_s=1.0,
        overflow=fail(400, f"Invalid request: {_KIMI_FULL}", "invalid_request_error"),
        filtered=fail(400, _KIMI_RISK, "content_filter"),
        broke=_KIMI_BROKE,
        cached=IN_USAGE,
    ),
    Contract(
        model="kimi-k2.6",
        refused=(("temperature", ANY, _KIMI_FIXED),),
        needed=(
            ("max_completion_tokens", 256, UNWORDED),  # max_tokens is not honoured
            ("thinking", _OFF, UNWORDED),
        ),
        busy=fail(429, _KIMI_BUSY, "engine_overloaded_error"),
        overflow=fail(400, "Input token length too long", "invalid_request_error"),
        filtered=fail(400, _KIMI_RISK, "content_filter"),
        broke=_KIMI_BROKE,
        cached=IN_USAGE,
        thought="reasoning_content",
    ),
    Contract(
        model="gpt-4-turbo",
        busy=fail(429, "Rate limit reached. Please try again in 6ms.", code="rate_limit_exceeded"),
        wait_s=0.006,
        overflow=fail(400, _GPT_FULL, "invalid_request_error", "context_length_exceeded"),
        broke=_GPT_BROKE,
        cached=IN_DETAILS,
    ),
    Contract(
        model="gpt-6.1-sol",
        refused=(
            ("max_tokens", ANY, _GPT_NO_MAX_TOKENS),
            ("temperature", ANY, _GPT_NO_TEMPERATURE),
            ("reasoning_effort", "none", UNWORDED),
        ),
        busy=fail(429, "Rate limit reached. Please try again in 1.5s.", code="rate_limit_exceeded"),
        wait_s=1.5,
        overflow=fail(400, UNWORDED, "invalid_request_error", "context_length_exceeded"),
        broke=_GPT_BROKE,
        cached=BOTH_IN_DETAILS,
    ),
    Contract(
        model="claude-3-opus-20240229",
        busy=fail(429, UNWORDED, "rate_limit_error"),
        overflow=fail(400, _CLAUDE_FULL, "invalid_request_error"),
        broke=_CLAUDE_BROKE,
        cached={"prompt_tokens_details": {}},  # always empty: it has no caching
    ),
    Contract(
        model="claude-opus-5-5",
        refused=(("temperature", ANY, _CLAUDE_FIXED),),
        busy=fail(529, UNWORDED, "overloaded_error"),
        overflow=fail(400, _CLAUDE_BOTH, "invalid_request_error"),
        broke=_CLAUDE_BROKE,
    ),
    Contract(
        model="litellm/claude-opus-5-5",
        refused=(("temperature", ANY, f"litellm.BadRequestError: {_CLAUDE_FIXED}"),),
        busy=fail(429, "litellm.RateLimitError: AnthropicException"),
        overflow=fail(400, _LITELLM_FULL),
        filtered=fail(400, "litellm.ContentPolicyViolationError: AnthropicException"),
        cached=AS_LITELLM_TELLS,
        thought="reasoning_content",
    ),
    Contract(
        model="gemini-1.5-pro",
        busy=_GEMINI_BUSY,
        wait_s=34.5,
        overflow=_GEMINI_FULL,
        cached=IN_DETAILS,
    ),
    Contract(
        model="gemini-3.8-flash",
        refused=(("temperature", ANY, UNWORDED),),
        busy=_GEMINI_BUSY,
        wait_s=34.5,
        overflow=_GEMINI_FULL,
        cached=IN_DETAILS,
    ),
    Contract(
        model="deepseek-v4-pro",
        needed=(("thinking", _OFF, UNWORDED),),
        busy=fail(429, UNWORDED),
        overflow=fail(400, _BOTH_PARTS, "invalid_request_error", "invalid_request_error"),
        filtered=fail(400, "Content Exists Risk", "invalid_request_error"),
        broke=fail(402, "Insufficient Balance"),
        cached=IN_HITS,
        thought="reasoning_content",
    ),
    Contract(
        model="qwen3.8-max",
        needed=(("enable_thinking", False, _QWEN_THINKS),),
        busy=_QWEN_BUSY,
        overflow=_QWEN_FULL,
        filtered=_QWEN_RISK,
        broke=_QWEN_BROKE,
        cached=IN_DETAILS,
    ),
    Contract(
        model="qwen-72b-chat",
        busy=_QWEN_BUSY,
        overflow=_QWEN_FULL,
        filtered=_QWEN_RISK,
        broke=_QWEN_BROKE,
    ),
    Contract(
        model="glm-5.2",
        needed=(("do_sample", False, UNWORDED), ("thinking", _OFF, UNWORDED)),
        busy=fail(429, _GLM_BUSY, code="1305"),
        overflow=fail(400, "Prompt 超长", code="1261"),
        filtered=fail(400, _GLM_RISK, code="1301"),
        broke=fail(429, "您的账户已欠费，请充值后重试", code="1113"),
        cached=IN_DETAILS,
        thought="reasoning_content",
    ),
    Contract(
        model="MiniMax-M3",
        refused=(("temperature", 0.0, UNWORDED),),
        needed=(("reasoning_split", True, UNWORDED),),  # else thinking stands in the answer
        busy=fail(429, UNWORDED),
        overflow=fail(400, "invalid params, context window exceeds limit (2013)"),
        broke=fail(429, "insufficient balance"),
    ),
    Contract(model="step-1-200k", busy=fail(429, UNWORDED), broke=fail(402, UNWORDED)),
    Contract(
        model="step-3.7-flash",
        busy=fail(429, UNWORDED),
        broke=fail(402, UNWORDED),
        thought="reasoning",
    ),
    Contract(
        model="ernie-bot-8k",
        busy=fail(429, UNWORDED),
        overflow=fail(400, "the max input characters is 28000", code="characters_too_long"),
    ),
    Contract(
        model="ernie-4.5-turbo-128k",
        busy=fail(429, UNWORDED),
        overflow=fail(400, "Prompt tokens too long", "invalid_request_error", "tokens_too_long"),
        filtered=fail(400, UNWORDED, "unsafe_request"),
    ),
    Contract(
        model="Baichuan2-Turbo-192k",
        busy=fail(429, "Rate limit reached for requests"),
        broke=fail(429, "Insufficient account balance, please recharge"),
    ),
    Contract(model="yi-34b-chat-200k", busy=fail(429, UNWORDED)),
    Contract(
        model="spark/generalv3.5",
        refused=(("temperature", 0.0, UNWORDED),),
        busy=fail(429, UNWORDED),
        overflow=fail(400, "token数量超过上限。对话历史+问题的字数太多", code="10907"),
    ),
    Contract(
        model="openrouter/moonshotai/kimi-k2.6",
        needed=(("provider", _PINNED, UNWORDED),),  # else another back end may answer
        busy=fail(429, UNWORDED, code=429),
        overflow=fail(400, "This endpoint's maximum context length is 262144 tokens.", code=400),
        filtered=fail(403, _MODERATED, code=403),
        broke=fail(402, "Insufficient credits", code=402),
        cached=IN_DETAILS,
        thought="reasoning",
    ),
    Contract(
        model="vllm/Qwen/Qwen3-8B",
        overflow=fail(400, _BOTH_PARTS, "BadRequestError", 400),
        cached=IN_DETAILS,
        thought="reasoning_content",
    ),
    Contract(
        model="llama.cpp/any",
        busy=fail(503, UNWORDED),
        overflow=fail(  # a 500 in its first releases that said so, a 400 since
            500, "the request exceeds the available context size", "exceed_context_size_error"
        ),
        cached=IN_DETAILS,
    ),
    Contract(
        model="sglang/Qwen3-8B",
        overflow=fail(400, _SGLANG_FULL, "BadRequestError", 400),
        cached=IN_DETAILS,
        thought="reasoning_content",
    ),
    Contract(model="ollama/qwen3:8b", busy=fail(503, UNWORDED), thought="reasoning"),
)
