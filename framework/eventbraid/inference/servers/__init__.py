"""Servers as users name them, and the way to them."""
