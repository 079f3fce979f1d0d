"""From afar: which keys may do what, the key of the machine itself, and whether it can be reached."""
