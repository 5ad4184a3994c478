# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""One bar, on terminals alone, below what is printed and logged."""

import io
import logging
import re
import sys

import pytest

from mmhires.utils.progress import track


class Terminal(io.StringIO):
    """A stream that looks like a terminal."""

    def isatty(self):
        return True

    def screen(self):
        """Lines as a terminal shows them."""
        lines, row, column = [''], 0, 0
        codes = re.findall(r'\x1b\[\??\d*(?:;\d+)*[A-Za-z]|.|\n', self.getvalue())
        for code in codes:
            if code == '\n':
                row, column = row + 1, 0
                lines += [''] * (row + 1 - len(lines))
            elif code == '\r':
                column = 0
            elif code == '\x1b[1A':
                row -= 1
            elif code == '\x1b[2K':
                lines[row] = ''
            elif code[0] != '\x1b':
                line = lines[row].ljust(column)
                lines[row] = line[:column] + code + line[column + 1 :]
                column += 1
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def logger():
    """A logger whose handler keeps its stream, as MMEngine's do."""
    logger = logging.getLogger('of-the-bar')
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def go(logger):
    for number in track(range(2), text='outer'):
        for letter in track(iter('ab'), 0, 'inner'):
            logger.warning('log %s%s', number, letter)
            sys.stdout.write(f'print {number}{letter}\n')
            sys.stderr.write(f'warn {number}{letter}\n')


def test_bar_stays_below_every_line_that_is_printed_or_logged(logger, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    monkeypatch.setattr(sys, 'stderr', terminal)
    handler = logging.StreamHandler(terminal)
    logger.addHandler(handler)
    go(logger)
    *lines, bar = terminal.screen()
    assert lines == [
        f'{what} {number}{letter}'
        for number in range(2)
        for letter in 'ab'
        for what in ('log', 'print', 'warn')
    ]
    assert bar.startswith('outer ') and ' 2/2 ' in bar
    assert handler.stream is sys.stdout is terminal


def test_nothing_of_a_bar_gets_into_files(logger, capsys):
    logger.addHandler(logging.StreamHandler(sys.stderr))
    go(logger)
    said = capsys.readouterr()
    assert said.out.split('\n')[:2] == ['print 0a', 'print 0b']
    assert said.err.splitlines()[:3] == ['log 0a', 'warn 0a', 'log 0b']
    assert len(said.err.splitlines()) == 8


def test_output_to_a_file_stays_there_beside_a_bar(logger, monkeypatch):
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, 'stderr', terminal)
    monkeypatch.setattr(sys, 'stdout', file)
    go(logger)
    assert file.getvalue().splitlines() == [
        f'print {number}{letter}' for number in range(2) for letter in 'ab'
    ]
    assert 'print' not in terminal.getvalue()


def test_an_error_ends_the_bar_and_gives_the_handlers_back(logger, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stderr', terminal)
    handler = logging.StreamHandler(terminal)
    logger.addHandler(handler)
    with pytest.raises(ValueError, match='broken'):
        for _ in track(range(3)):
            raise ValueError('broken')
    go(logger)
    assert handler.stream is sys.stderr is terminal
    assert ' 2/2 ' in terminal.screen()[-1]
