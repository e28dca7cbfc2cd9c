--name: ErrorsOfGroup
--input: string hash
select e.event_time, e.error_message, u.login
from events e
join event_types et on et.id = e.event_type_id
left join users_sessions s on s.id = e.session_id
left join users u on u.id = s.user_id
where et.error_stack_trace_hash = @hash
order by e.event_time desc
