"""The compact networks' occupancy field and what follows it, compiled for the CPU.

`src/` is a C++ library without dependencies; `library` finds and loads it, the other modules here,
networks/compact/native.py, networks/native_attention.py and surface/native_search.py call it.
Everything in it but the look through JPEG files has a twin in torch or NumPy that is used where the
library is missing, and that tests compare it with.
"""
