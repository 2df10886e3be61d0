"""Hostile files, made here when they are needed: nothing dangerous lies in the repository."""
