"""Benchmarks: the desk beside an empty web application, and beside the designs it replaces."""
