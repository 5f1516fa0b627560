"""needle: long-context needle-in-a-haystack evaluation, in English and Chinese."""

__version__ = "0.1.0"
