"""Archives: prepared data sets in a folder, either in the native format or as the historical ``*.pth.tar`` files.

``example.py`` has the examples of an archive, ``sampling.py`` chooses training locations, and ``open.py`` opens a folder with
either kind of archive.
"""
