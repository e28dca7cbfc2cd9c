-- What of the interface was used: by whom, how often, when first and last; `items_named` says which item that is. A
-- dialog is used when it is shown. Reads events from $begin to $until. Parameters are read once for all uses that have
-- the same ones.
items_told AS (
    SELECT
        e.type, CAST(e."parameters" AS varchar) AS told, who() AS person,
        e.time >= $since AS is_current, count(*) AS uses, min(e.time) AS first, max(e.time) AS last
    FROM events e
    WHERE e.time >= $begin AND e.time < $until AND chosen() AND e.type IN (
        'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
        'dialog-shown', 'command', 'input', 'click'
    )
    GROUP BY 1, 2, 3, 4
), items_read AS (
    SELECT type, told, texts_of(CAST(told AS json), '/item', '/dialog', '/target', '/command', '/input', '/name') AS names
    FROM (SELECT DISTINCT type, told FROM items_told) once
), items_named AS (
    SELECT
        type, told,
        CASE
            WHEN type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click') THEN 'menu'
            WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog'
            ELSE type
        END AS kind,
        CASE
            WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN coalesce(names[2], names[1], names[6])
            WHEN type = 'click' THEN coalesce(names[3], names[1], names[6])
            WHEN type = 'command' THEN coalesce(names[4], names[1], names[6])
            WHEN type = 'input' THEN coalesce(names[5], names[1], names[6])
            ELSE coalesce(names[1], names[6])
        END AS item
    FROM items_read
)
