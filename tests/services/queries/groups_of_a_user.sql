--name: GroupsOfUser
--input: string login
with recursive walk as (
  select u.group_id as id, 0 as depth from users u where u.login = @login
  union
  select gr.parent_id, w.depth + 1 from walk w join groups_relations gr on gr.child_id = w.id
)
select g.friendly_name as "group", g.personal, min(w.depth) as depth
from walk w join groups g on g.id = w.id
group by 1, 2
order by depth, 1
