"""A stand-in for Colab's own package: what svcnb and anywidget call of it, by the same names.

`asked` lists the calls, so that a test can see them.
"""

asked: list[tuple] = []
