"""A tracker's joints and a person's hands, fitted to observed skin."""
