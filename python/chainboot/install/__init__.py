"""Puts the first stage where the machine's own loader finds it."""
