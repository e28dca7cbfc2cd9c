--name: EventsByType
--input: string date { pattern: datetime }
select et.name, et.source, count(*) as events, count(e.session_id) as with_session
from events e
inner join event_types et on et.id = e.event_type_id
where @date(e.event_time) and et.source in ('audit', 'usage')
group by et.name, et.source
order by events desc, et.name
