-- In DSS a person's own action is one from the browser that belongs to neither a scenario nor a job. A project whose name
-- is empty is none. Days in which either makes a difference are counted anew.
CREATE OR REPLACE VIEW told_events{on_cluster} AS
SELECT
    e.*,
    CAST(coalesce(e.acting_for, e.user) AS LowCardinality(Nullable(String))) AS person,
    CAST(
        if(person LIKE 'api:%' OR person LIKE 'no:auth%', NULL, person) AS LowCardinality(Nullable(String))
    ) AS who,
    e.of_hour AS hour,
    CAST(e.via IS NOT NULL AS UInt8) AS has_via,
    e.format LIKE 'dss%' OR ifNull(e.node_type IN ('design', 'automation'), false) AS is_of_dss,
    CAST(e.via IS NULL AND (NOT is_of_dss OR (
        coalesce(JSONExtract(e.parameters, 'authSource', 'Nullable(String)'), 'USER_FROM_UI') = 'USER_FROM_UI'
        AND coalesce(JSONExtract(e.parameters, 'scenarioId', 'Nullable(String)'), '') = ''
        AND coalesce(JSONExtract(e.parameters, 'jobId', 'Nullable(String)'), '') = ''
    )) AS UInt8) AS by_hand,
    position(e.parameters, 'package') > 0 OR position(e.parameters, '\\u') > 0 AS may_tell_package,
    CAST(
        if(may_tell_package, JSONExtract(e.parameters, 'package', 'Nullable(String)'), NULL)
        AS LowCardinality(Nullable(String))
    ) AS package,
    CAST(
        if(
            may_tell_package AND JSONExtract(e.parameters, 'package', 'Nullable(String)') IS NOT NULL,
            JSONExtract(e.parameters, 'version', 'Nullable(String)'), NULL
        ) AS LowCardinality(Nullable(String))
    ) AS version,
    CAST(multiIf(
        e.is_error, 'failed',
        e.type LIKE '%delete%' OR e.type LIKE '%removed%', 'deleted',
        e.type LIKE '%-create' OR e.type LIKE '%-created' OR e.type LIKE '%-create-%', 'made',
        e.type LIKE '%share%' OR e.type LIKE '%publish%' OR e.type LIKE '%permission%', 'shared',
        e.type LIKE '%export%' OR e.type LIKE '%download%', 'exported',
        e.type LIKE '%-save%' OR e.type LIKE '%edit%' OR e.type LIKE '%-change%' OR e.type LIKE '%-update%'
            OR e.type LIKE '%rename%' OR e.type LIKE '%-set-%', 'edited',
        e.type LIKE '%read%' OR e.type LIKE '%open%' OR e.type LIKE '%-view%' OR e.type LIKE '%-get-%'
            OR e.type LIKE '%-list%', 'read',
        e.is_run OR e.type LIKE '%-start' OR e.type LIKE '%-run' OR e.type LIKE '%-build-%'
            OR e.type LIKE '%-trigger', 'run',
        'other'
    ) AS LowCardinality(String)) AS verb,
    e.entities AS touched,
    position(e.entities, '"role"') > 0 AS has_roles,
    toInt64(1) AS events,
    toInt64(e.is_use) AS uses,
    toInt64(e.is_run) AS runs,
    toInt64(e.is_error) AS errors,
    toInt64(e.is_failure) AS failed,
    e.rows_told AS row_count,
    e.time AS first,
    e.time AS last
FROM events AS e;

ALTER TABLE events{local}{on_cluster} UPDATE project = coalesce(
    nullIf(JSONExtract(parameters, 'projectKey', 'Nullable(String)'), ''),
    nullIf(JSONExtract(parameters, 'project', 'Nullable(String)'), ''),
    nullIf(arrayFirst(
        thing -> thing.type = 'project', JSONExtract(entities, 'Array(Tuple(type String, id String))')
    ).id, '')
)
WHERE project = '' SETTINGS mutations_sync = 2;

INSERT INTO counted_days
SELECT
    DISTINCT toYYYYMMDD(time), (SELECT max(number) FROM counted_days) + 1, 0, false, now64(6, 'UTC')
FROM events
WHERE toYYYYMMDD(time) IN (SELECT day FROM counted_days) AND (
    (position(parameters, '"projectKey":""') > 0 OR position(parameters, '"project":""') > 0) OR (
        (format LIKE 'dss%' OR node_type IN ('design', 'automation')) AND via IS NULL
        AND (position(parameters, 'scenarioId') > 0 OR position(parameters, 'jobId') > 0)
    )
);
