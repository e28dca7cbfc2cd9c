-- Something of the interface was used. A dialog is used when it is shown.
e."type" IN (
    'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show', 'dialog-shown',
    'command', 'input', 'click'
)
