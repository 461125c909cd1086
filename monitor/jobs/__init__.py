"""Jobs at quantum clouds: ordered, followed, ended."""
