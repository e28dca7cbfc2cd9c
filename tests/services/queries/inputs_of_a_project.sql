--name: InputsOfProject
select p.name as parameter, en.name as entity
from events e
join event_types et on et.id = e.event_type_id and et.name = 'project-opened'
join event_parameter_values v on v.event_id = e.id
join event_parameters p on p.id = v.parameter_id and p.type = 'entity_id'
left join entities en on en.id = v.value_uuid
order by p.name
