-- Which item of the interface was used, as kind:name. Each kind has a parameter of its own that names the item.
CASE
    WHEN e."type" IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog:' || coalesce({dialog}, {item}, {name})
    WHEN e."type" = 'click' THEN 'click:' || coalesce({target}, {item}, {name})
    WHEN e."type" = 'command' THEN 'command:' || coalesce({command}, {item}, {name})
    WHEN e."type" = 'input' THEN 'input:' || coalesce({input}, {item}, {name})
    ELSE 'menu:' || coalesce({item}, {name})
END
