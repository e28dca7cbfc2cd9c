"""Targets that lay events out in files: which folder an event belongs to, files being written, their commit.

    send ─► Writing (a file a folder, under working names) ─► Commit (on disk: names, counts, digests, places)
                                                              ─► deliver (rename | upload) ─► places, manifest

What is in a commit is delivered, whatever happens in between; what is in none is sent again. So each event is there
exactly once, under a name that never had other content.
"""
