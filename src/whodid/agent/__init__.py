"""The agent on a node: audit files are read as they are written, kept in an outbox on disk, and sent to a collector.

files ─► reading ─► outbox ─► courier ─► POST /v1/agent/events
         (live,     (disk)    (gzip, same ids again)
         backlog)             POST /v1/agent/heartbeat
"""
