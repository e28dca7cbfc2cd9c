--name: TopQueries
--input: string date { pattern: datetime }
select en.friendly_name as query, count(*) as runs, count(distinct s.user_id) as users
from events e
inner join event_types et on et.id = e.event_type_id and et.name = 'query-start'
inner join event_parameter_values v on v.event_id = e.id
inner join event_parameters p on p.id = v.parameter_id and p.type = 'entity_id' and p.name = 'query'
inner join entities en on en.id = v.value_uuid
left join users_sessions s on s.id = e.session_id
where @date(e.event_time)
group by en.friendly_name
order by runs desc, query
