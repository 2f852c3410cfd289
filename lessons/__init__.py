"""The course as short scripts: each has one claim, one table and one picture.

``python -m lessons`` lists them, ``python -m lessons 07`` runs one.  They are cells of text and code ("percent
format"), which Jupyter and VS Code open as notebooks.
"""
