"""Building contexts: from a haystack and a needle to trials with exact counts. Pure."""
