-- Who asked an API node.
coalesce({context.caller}, e."user", {apiKey})
