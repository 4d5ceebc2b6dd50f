"""Segmentation: what a video shows, measured in one decode, and the spans worth keeping. Frames in, spans out."""
