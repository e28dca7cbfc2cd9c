--name: EntityActivity
--input: string entity
select e.event_time, et.name as what, u.friendly_name as who,
  (select json_object_agg(p2.name, v2.value order by p2.name) from event_parameter_values v2
   join event_parameters p2 on p2.id = v2.parameter_id and p2.type <> 'entity_id' where v2.event_id = e.id)::text as parameters
from events e
join event_types et on et.id = e.event_type_id
join event_parameter_values v on v.event_id = e.id
join event_parameters p on p.id = v.parameter_id and p.type = 'entity_id'
left join users_sessions s on s.id = e.session_id
left join users u on u.id = s.user_id
where v.value_uuid = @entity
order by e.event_time desc
limit 3
