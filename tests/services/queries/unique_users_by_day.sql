--name: UniqueUsersByDay
--input: string date { pattern: datetime }
--input: list<string> groups
with recursive selected_groups as (
  select id from groups where id = any(@groups)
  union
  select gr.child_id as id from selected_groups sg
  join groups_relations gr on sg.id = gr.parent_id
)
select date_trunc('day', e.event_time)::date as day, count(distinct u.id) as users
from events e
inner join users_sessions s on e.session_id = s.id
inner join users u on u.id = s.user_id
inner join selected_groups sg on u.group_id = sg.id
where @date(e.event_time)
group by 1
order by 1
