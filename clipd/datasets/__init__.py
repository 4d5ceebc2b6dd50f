"""Datasets: tables of videos, a ledger that says which rows are done, and a loader of exact frames."""
