-- What of the interface was used, and which item that is. A dialog is used when it is shown.
SELECT
    used.*,
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
FROM (
    SELECT
        e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
        project() AS project, e.entity_type, e.entity_id, e.session, e.request_id,
        texts_of(e."parameters", '/item', '/dialog', '/target', '/command', '/input', '/name') AS names
    FROM events e
    WHERE e.type IN (
        'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
        'dialog-shown', 'command', 'input', 'click'
    )
) used
