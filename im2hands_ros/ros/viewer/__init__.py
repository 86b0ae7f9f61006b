"""The program `viewer`: the hands in a browser."""
