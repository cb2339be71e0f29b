"""Runs and reports: notebooks in, a folder of tables, figures and pages out."""
