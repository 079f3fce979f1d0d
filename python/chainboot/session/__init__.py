"""A person in front of the machine: screen, keys, consoles."""
