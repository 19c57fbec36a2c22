"""Calls of every command with every kind of source, damaged at random: ``python -m tests.fuzz --help``."""
