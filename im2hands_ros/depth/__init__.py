"""Hands in a depth image: which pixels show their skin, and joints whose skin goes through it.

Each step in NumPy has a compiled twin (kernels/depth.py).
"""
