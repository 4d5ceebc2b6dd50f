"""Noticing: the scan, what has settled, what is admitted as a job, and the events that say where to look."""
