"""From an entry of a configuration to a running kernel."""
