"""Frozen values that travel between the floors; nothing here touches a disk."""
