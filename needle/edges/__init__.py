"""Disk, network, clock and environment: each has one owner."""
