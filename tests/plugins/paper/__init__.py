"""Probes of a cloud made of paper: for tests of what a queue can do to a job."""
