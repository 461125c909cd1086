"""Circuits: where on a device they run, how they are made, compiled, converted, simulated."""
