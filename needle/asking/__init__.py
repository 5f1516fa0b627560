"""What a request costs, when it may be sent, and what its answer means. Pure."""
