"""Synthetic two-hand scenes: the articulated hand, its poses, pictures and labels."""
