-- Logins and failed logins. The login of a failed one is what was tried, whoever it was.
SELECT
    tried.*,
    coalesce(CASE WHEN has_failed THEN login END, person, login) AS account
FROM (
    SELECT
        e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
        project() AS project, e.entity_type, e.entity_id,
        parameter('login') AS login,
        coalesce(parameter('originalIP'), parameter('clientIP'), parameter('ip'), e.orig_address) AS address,
        e.type IN (
            'login-failure', 'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
        ) AS has_failed
    FROM events e
    WHERE e.type IN (
        'login', 'login-success', 'user-logged-in', 'sign-in', 'logged-in', 'user-impersonated', 'login-failure',
        'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
    )
) tried
