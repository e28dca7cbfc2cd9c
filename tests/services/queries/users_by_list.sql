--name: UsersByList
--input: list<string> ids
--input: list<string> logins
select u.login, u.id = any(@ids) as by_id, u.login = any(@logins) as by_login, g.friendly_name as personal_group
from users u join groups g on g.id = u.group_id
where g.personal and (u.id = any(@ids) or u.login = any(@logins))
order by u.login
