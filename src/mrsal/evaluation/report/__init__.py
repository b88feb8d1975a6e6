"""Tables, charts and pictures of scores, and an HTML page that contains them.

No scores are computed here. ``html.py`` joins the parts into one file.
"""
