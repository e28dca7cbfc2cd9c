--name: RecentEvents
select et.name, count(*) as events
from events e join event_types et on et.id = e.event_type_id
where e.event_time > (now() at time zone 'utc') - interval '7 days' and e.event_time <= now() at time zone 'utc'
group by 1 order by 1
