"""Recordings: which files of a camera cover a span of time, and where the gaps are."""
