"""The figures of two papers, made again: `make figures`, docs/reproduction.md.

A: Wang et al. 2021, arXiv:2009.04509. B: Krupa et al. 2021, arXiv:2007.10359.
"""
