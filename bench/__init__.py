"""Speed and memory of the desk, as ratios beside this machine's own limits. Run with `python -m bench`; see README.md."""
