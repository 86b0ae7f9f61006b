"""The demo's programs, `replay` and `recorder`, and what runs them."""
