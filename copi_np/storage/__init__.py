"""Bytes from outside, which may be damaged or malicious, and bytes that must not be lost.

`untrusted` reads text and JSON, `npz` arrays, `jsonl` records line by line; `atomic` replaces files as a whole.
"""
