"""Trial boots: tries, good, bad; the record of them, which entry it makes the next one, and the ways back."""
