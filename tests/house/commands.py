"""Commands of ``shotmark`` by their words, those of groups among them."""

from __future__ import annotations

import click

from bench.cli.scanned import Scanned


def command_of(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that these words begin with, None where there is none; and the words that follow it."""
    from bench.cli.main import main

    command: click.Command | None = main
    while isinstance(command, Scanned) and words:
        command, words = command.get_command(None, words[0]), words[1:]  # type: ignore[arg-type]
    return command, words


def all_commands(*before: str) -> list[list[str]]:
    """The words of every command, those of groups among them."""
    group = command_of(list(before))[0]
    names = group.list_commands(None) if isinstance(group, Scanned) else []  # type: ignore[arg-type]
    return [words for name in names for words in ([*before, name], *all_commands(*before, name))]
