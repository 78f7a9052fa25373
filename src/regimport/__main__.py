"""`python -m regimport`."""

from regimport.cli.app import main

main()
