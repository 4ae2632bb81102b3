"""The page: one file in which people look around a backward. ``html.to_html`` makes it of records.

Everything that the page shows is data, made in Python (``data``, ``tree``); everything that it does is a small script
in plain modules (``script/``), put together by ``bundle``.
"""
