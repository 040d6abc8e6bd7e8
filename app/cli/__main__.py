"""`python -m app.cli`, the same as `starling`."""

from app.cli import main

main()
