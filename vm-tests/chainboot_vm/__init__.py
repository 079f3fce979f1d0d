"""Boots the first stage in QEMU, for tests and for `make demo`. Knows chainboot; chainboot does not know it."""
