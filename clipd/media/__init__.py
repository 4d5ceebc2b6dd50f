"""The door to media: the only floor that knows the decoding and encoding library."""
