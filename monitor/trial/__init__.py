"""Unit tests of triggers: `qrossover trigger test`."""
