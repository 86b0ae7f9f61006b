"""Hands without networks to compare with."""
