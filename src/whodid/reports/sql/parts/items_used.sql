-- What of the interface was used: kind and name of the item, by whom, when, in which session and request.
-- A dialog is used when it is shown. Reads events from $begin to $until.
items_used AS (
    SELECT *
    FROM (
        SELECT
            CASE
                WHEN e.type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click') THEN 'menu'
                WHEN e.type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog'
                WHEN e.type = 'command' THEN 'command'
                WHEN e.type = 'input' THEN 'input'
                ELSE 'click'
            END AS kind,
            CASE
                WHEN e.type IN ('dialog show', 'dialog-show', 'dialog-shown')
                    THEN coalesce(parameter('dialog'), parameter('item'), parameter('name'))
                WHEN e.type = 'click' THEN coalesce(parameter('target'), parameter('item'), parameter('name'))
                WHEN e.type = 'command' THEN coalesce(parameter('command'), parameter('item'), parameter('name'))
                ELSE coalesce(parameter('item'), parameter('name'), parameter('input'))
            END AS item,
            e.id,
            e.time,
            who() AS person,
            e.session,
            e.request_id
        FROM events e
        WHERE e.time >= $begin AND e.time < $until AND chosen() AND e.type IN (
            'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
            'dialog-shown', 'command', 'input', 'click'
        )
    ) found
    WHERE item IS NOT NULL
)
