"""Bytes to a server and back."""
