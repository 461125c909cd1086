"""Probes of GPUs on every node of a cluster. Only a child, `python -m monitor.fleet`, meets Ray."""
