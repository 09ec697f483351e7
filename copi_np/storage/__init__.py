"""Read files that may be damaged or malicious, and write files that must not be lost.

`untrusted` reads text and JSON, `npz` arrays, `jsonl` records line by line; `atomic` replaces whole files.
"""
