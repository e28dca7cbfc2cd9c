"""The console: SQL with the schema beside it, its answer as table and chart, saved queries and one's history."""
