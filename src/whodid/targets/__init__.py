"""Where events are exported to: one file a kind; `base.py` is their contract."""
