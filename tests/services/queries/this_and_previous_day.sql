--name: ThisAndPreviousDay
--input: datetime day
select count(*) filter (where e.event_time >= @day::timestamp) as this,
  count(*) filter (where e.event_time < @day::timestamp) as previous,
  count(distinct e.session_id) as sessions
from events e
where e.event_time >= @day::timestamp - interval '1 day' and e.event_time < @day::timestamp + interval '1 day'
