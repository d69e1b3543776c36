"""Data, random streams, device, checks: what knows no algorithm."""
