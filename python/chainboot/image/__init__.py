"""Builds the first-stage initrd. Never imported by what runs inside it."""
