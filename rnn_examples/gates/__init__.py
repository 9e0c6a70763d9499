"""Gated cells."""
