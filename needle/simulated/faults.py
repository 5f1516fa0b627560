"""The faults of the simulated endpoint: which there are, how often, and who meets them. Pure."""

import math
from dataclasses import asdict, dataclass, fields

from needle.simulated.surfaces import draw
from needle.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Faults:
    """The share of requests, 0-1, that meet each fault; the rest are answered.

    ``filter`` and ``filter_400`` depend on the prompt alone and come again on every retry;
    the others are drawn anew each time a prompt is asked.
    """

    rate_limit: float = 0.0
    rate_limit_wait: float = 0.0
    error_500: float = 0.0
    error_503: float = 0.0
    drop: float = 0.0
    stall: float = 0.0
    malformed: float = 0.0
    empty_choices: float = 0.0
    filter: float = 0.0
    filter_400: float = 0.0


NO_FAULTS = Faults()
_LASTING = ("filter", "filter_400")


def parse_faults(text: str) -> Faults:
    """Read faults such as ``rate_limit=0.1,drop=0.05``; an empty text is none.

    Raises UsageError for an unknown name, a rate that is not within 0-1, or a sum above 1.
    """
    names = [each.name for each in fields(Faults)]
    rates: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in names:
            raise UsageError(f"unknown fault {name!r} (--faults): use {', '.join(names)}")
        if name in rates:
            raise UsageError(f"fault {name} is given twice (--faults): give it once")
        rates[name] = _parse_rate(name, value)
    if math.fsum(rates.values()) > 1:
        total = math.fsum(rates.values())
        raise UsageError(f"the rates sum to {total:g} (--faults): make them sum to 1 at most")
    return Faults(**rates)


def _parse_rate(name: str, value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= 1:
        raise UsageError(f"{name} must be a rate within 0-1, got {value!r} (--faults): {name}=0.1")
    return rate


def draw_fault(faults: Faults, seed: int, digest: str, asked: int) -> str | None:
    """Draw the fault that a request meets, or None: the same for the same seed and request.

    ``digest`` is the sha256 of the model and its prompt, ``asked`` how many times it was
    asked before.
    """
    rates = asdict(faults)
    lasting = {name: rates.pop(name) for name in _LASTING}
    fault = _pick(lasting, draw(seed, "lasting", digest))
    rest = 1 - sum(lasting.values())
    if fault or rest <= 0:
        return fault
    passing = {name: rate / rest for name, rate in rates.items()}
    return _pick(passing, draw(seed, f"passing {asked}", digest))


def _pick(rates: dict[str, float], drawn: float) -> str | None:
    reached = 0.0
    for name, rate in rates.items():
        reached += rate
        if drawn < reached:
            return name
    return None
