"""chainboot: a boot menu that can always be reached."""
