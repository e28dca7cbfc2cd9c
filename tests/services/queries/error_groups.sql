--name: ErrorGroups
--input: string date { pattern: datetime }
select et.error_stack_trace_hash as hash, et.friendly_name as error, count(*) as times,
  count(distinct s.user_id) as users, min(e.event_time) as first
from events e
join event_types et on et.id = e.event_type_id
left join users_sessions s on s.id = e.session_id
where @date(e.event_time) and et.is_error and et.error_stack_trace_hash is not null
group by et.id, et.error_stack_trace_hash, et.friendly_name
order by times desc, hash
