-- The version of the service that answered.
coalesce({version}, {generation}, {serviceGeneration}, {context.version}, 'unknown')
