"""Prompt caches: the order that keeps them warm, marks, and a simulated one. Pure."""
