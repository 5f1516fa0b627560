"""What simulated models see and say. Pure."""
