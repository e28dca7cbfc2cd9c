-- Spark SQL: {{ dataset }}, read where it lies{{ note }}
CREATE OR REPLACE TEMPORARY VIEW {{ name }}_files
USING {{ {"parquet": "parquet", "json": "json", "line": "text"}[format] }}
OPTIONS (path {{ spark_glob }}, recursiveFileLookup 'true'{% if format == "json" %}, mode 'PERMISSIVE'{% endif %});

CREATE OR REPLACE TEMPORARY VIEW {{ name }} AS
SELECT
    *{% for part in parts %},
    {{ part.spark }} AS {{ part.name }}{% endfor %}
FROM {{ name }}_files{% if matching %}
WHERE input_file_name() RLIKE {{ spark_matching }}{% endif %};
