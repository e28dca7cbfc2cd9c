-- In place of flow_told where that was asked before and had a row.
flow_told AS (
    SELECT CAST($since AS timestamp) AS since
)
