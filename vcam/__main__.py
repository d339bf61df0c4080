"""`python -m vcam` is `vcam`."""

from vcam.cli.main import main

main()
