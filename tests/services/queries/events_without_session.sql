--name: EventsWithoutSession
--input: string date { pattern: datetime }
select et.name, coalesce(u.login, 'no session') as login, count(*) as events
from events e
join event_types et on et.id = e.event_type_id
left join users_sessions s on s.id = e.session_id
left join users u on u.id = s.user_id
where @date(e.event_time) and e.session_id is null
group by 1, 2
order by 1
