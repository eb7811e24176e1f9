"""`python -m mmlandslide` is `mmlandslide`."""

from mmlandslide.cli.main import main

main(prog_name='mmlandslide')
