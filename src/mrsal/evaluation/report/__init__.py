"""Scores as tables, charts, pictures and an HTML page.

Nothing here computes a score; ``html.py`` joins the parts into one self-contained file.
"""
