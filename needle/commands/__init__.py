"""The command line, and the same by Python's names."""
