"""The extlinux configuration language: reading it, and nothing else."""
