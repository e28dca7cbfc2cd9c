-- The service that an API node was asked for.
coalesce(
    {serviceId}, {service}, CASE WHEN e."entity_type" = 'api-service' THEN e."entity_id" END, {deploymentId}, 'unknown'
)
