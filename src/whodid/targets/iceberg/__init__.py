"""The audit as an Apache Iceberg table: a lake that Spark, Trino, Athena, Snowflake, DuckDB and Dataiku read.

    send ─► LakeWriting (a Parquet file a partition) ─► upload ─► one snapshot: files and places together
    Upkeep, beside it: small files become large ones, old snapshots go, files that no snapshot names go

The table alone says how far events are there: what it does not name was never delivered, and is sent again.
"""
