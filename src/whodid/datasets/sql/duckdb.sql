-- DuckDB: {{ dataset }}, read where it lies{{ note }}
CREATE OR REPLACE VIEW {{ name }} AS
SELECT
    *{% for part in parts %},
    {{ part.duckdb }} AS {{ part.name }}{% endfor %}
{% if format == "parquet" -%}
FROM read_parquet({{ glob }}, filename = true, union_by_name = true)
{%- elif format == "json" -%}
FROM read_json({{ glob }}, format = 'newline_delimited', filename = true, ignore_errors = true, maximum_depth = {{ depth }}, union_by_name = true)
{%- else -%}
FROM read_csv({{ glob }}, columns = {'line': 'VARCHAR'}, header = false, delim = '\0', quote = '', escape = '', filename = true)
{%- endif %}{% if matching %}
WHERE regexp_matches(filename, {{ matching }}){% endif %};
