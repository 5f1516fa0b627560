"""The records that flow through needle: frozen, and nothing else."""
