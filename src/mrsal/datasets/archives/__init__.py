"""Prepared data sets on disk: the native archive, and the historical ``*.pth.tar`` files.

``example.py`` is one image of an archive, ``sampling.py`` chooses training locations, and ``open.py`` opens a folder as
whichever kind of archive it holds.
"""
