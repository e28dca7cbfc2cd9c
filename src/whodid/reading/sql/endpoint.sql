-- Its endpoint.
coalesce({endpointId}, {endpoint}, e."function", e."type")
