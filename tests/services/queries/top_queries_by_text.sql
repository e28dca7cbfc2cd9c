--name: TopQueriesByText
--input: string date { pattern: datetime }
select en.name, et2.name as entity_type, count(*) as runs
from events e
join event_parameter_values v on v.event_id = e.id
join event_parameters p on p.id = v.parameter_id
join entities en on en.id::text = v.value
join entities_types et2 on et2.id = en.entity_type_id
where @date(e.event_time) and p.name = 'query'
group by 1, 2
order by 3 desc, 1
