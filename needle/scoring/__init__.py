"""From replies to verdicts. Pure."""
