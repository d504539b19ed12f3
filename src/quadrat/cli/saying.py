"""Words on standard output."""

import os
import sys

import click


def say(*lines: str) -> None:
    """Print lines, if anybody still listens: whoever started the server may have gone."""
    try:
        for line in lines:
            click.echo(line)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
