"""The bars, one module a subject, each run as ``python -m tests.benchmarks.NAME``.

A module prints one line per figure and nothing else on stdout: ``name value ci_low ci_high bar ok|short``. Its exit
status is 0 whenever it measured; a missed bar is told by the word, since a timing proves nothing on a busy machine.
"""
