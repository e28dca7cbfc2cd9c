-- Athena and Trino (Hive connector): {{ dataset }}, read where it lies{{ note }}
CREATE EXTERNAL TABLE {{ name }} ({% for column in columns %}
    `{{ column.name }}` {{ column.hive }}{% if not loop.last %},{% endif %}{% endfor %}
){% if parts %}
PARTITIONED BY ({% for part in parts %}{{ part.name }} string{% if not loop.last %}, {% endif %}{% endfor %}){% endif %}
{% if format == "parquet" -%}
STORED AS PARQUET
{%- elif format == "json" -%}
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
{%- else -%}
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ('input.regex' = '(.*)')
{%- endif %}
LOCATION {{ location }}{% if parts %}
TBLPROPERTIES (
    'projection.enabled' = 'true',{% for part in parts %}
    {{ part.projection }},{% endfor %}
    'storage.location.template' = {{ template }}
){% endif %};
