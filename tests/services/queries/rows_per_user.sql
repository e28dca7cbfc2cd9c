--name: RowsPerUser
--input: string date { pattern: datetime }
select u.friendly_name as "user",
  sum(case when v.value = 'null' then 0 else v.value::int end) as rows,
  count(case when v.value = 'null' then 1 end) as without_rows
from event_parameter_values v
join event_parameters p on p.id = v.parameter_id and p.name = 'rows' and p.type = 'int'
join events e on e.id = v.event_id
join users_sessions s on s.id = e.session_id
join users u on u.id = s.user_id
where @date(e.event_time)
group by u.friendly_name
order by u.friendly_name
