"""`python3 -m chainboot`: how the first stage starts the command."""

from chainboot.cli import main

main()
