--name: Clicks
--input: string date { pattern: datetime }
select e.event_time, u.login, v.value as target
from events e
join event_types et on et.id = e.event_type_id and et.source = 'usage' and et.name = 'click'
join users_sessions s on s.id = e.session_id
join users u on u.id = s.user_id
left join (
  event_parameter_values v join event_parameters p on p.id = v.parameter_id and p.name = 'target'
) on v.event_id = e.id
where @date(e.event_time)
order by e.event_time
