--name: HttpRequests
--input: string date { pattern: datetime }
with calls as (
  select e.id,
    max(v.value) filter (where p.name = 'method') as method,
    max(v.value) filter (where p.name = 'route') as route,
    max(v.value) filter (where p.name = 'status') as status,
    max(v.value) filter (where p.name = 'ms') as ms
  from events e
  join event_types et on et.id = e.event_type_id and et.name = 'http-request'
  join event_parameter_values v on v.event_id = e.id
  join event_parameters p on p.id = v.parameter_id
  where @date(e.event_time)
  group by e.id
)
select method, route, count(*) as calls, count(*) filter (where status::int >= 500) as failed, max(ms::float) as slowest_ms
from calls group by 1, 2 order by 1, 2
