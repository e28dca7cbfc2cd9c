-- A capture as existing SQL reads it; written again whenever it changes.
INSERT INTO public.capture_rules (
    id, number, name, status, created_by, created_at, expires_at, ended_at, ended_by,
    subject_type, subject_value, subject_name, scope_type, scope_value,
    anonymous, reason, capture, events_captured, max_events, window_minutes
)
VALUES (
    CAST(:id AS uuid), :number, :name, :status,
    (SELECT id FROM public.users WHERE login = :started_by), :started_at, :ends_at,
    :ended_at, (SELECT id FROM public.users WHERE login = :ended_by),
    :subject_type, :subject_value, :subject_name, :scope_type, :scope_value,
    :anonymous, :reason, CAST(:capture AS jsonb), :events, :events_max, :window_minutes
)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status,
    ended_at = excluded.ended_at,
    ended_by = excluded.ended_by,
    events_captured = excluded.events_captured
