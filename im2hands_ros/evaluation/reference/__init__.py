"""The published order of work: slow, to test and to time the fast one against."""
