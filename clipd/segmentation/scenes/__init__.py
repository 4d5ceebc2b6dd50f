"""Detectors of cuts: a visible table, one file for each way of telling one shot from the next."""
