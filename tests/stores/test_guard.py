"""What the SQL console's guard lets through, and what it does not."""

from __future__ import annotations

import pytest

from whodid.errors import WhodidError
from whodid.stores import guard
from whodid.stores.guard import SQL_BYTES_MAX, Dialect

GOOD_DUCKDB = [
    "select 1",
    "select type, count(*) from events group by all order by 2 desc limit 5",
    (
        "with e as (select * from events where time > now() - interval 7 day) select date_trunc('day', "
        'time) d, count(distinct "user") from e group by 1'
    ),
    (
        "select row_number() over (partition by \"user\" order by time), parameters->>'$.a' from events "
        "where type ilike '%x%' and \"user\" = $u"
    ),
    "from events",
    "describe events",
    "summarize events",
    "select * from (values (1)) v(a), range(3) r, events limit 1",
    "with recursive a(n) as (select 1 union all select n+1 from a where n<5) select * from a",
    "select quantile_cont(duration_ms, [0.5,0.9]), median(duration_ms) from events",
    "select unnest([1,2])",
    "select e.id from main.events e join event_entities x on x.event_id=e.id",
    "select * from (pivot events on level in ('audit','error') using count(*))",
    "select [x+1 for x in [1,2]], list_transform([1], lambda x: x+1)",
    "select type from events where description like '%read_text(''/etc/passwd'')%'",
    'select "user" -- a comment; with a semicolon\nfrom events',
    "with migrations as (select 1 as a) select a from migrations",
    "select * from events where id = $id and time between $since and $until",
    "select * from events where type = ? limit ?",
    "from events select type where level = 'error'",
    "select time_bucket(interval 1 hour, time) as hour, count(*) from events group by hour",
    "select parameters ->> '$.rows', json_extract_string(parameters, '$.a.b') from events",
    "select type from events;",
]

FORBIDDEN_DUCKDB = [
    "copy events to '/tmp/x'",
    "attach 'x.db'",
    "install httpfs",
    "load x",
    "set memory_limit='1GB'",
    "pragma version",
    "call pragma_version()",
    "export database 'x'",
    "select * from read_text('/etc/passwd')",
    "select * from read_csv('/etc/passwd')",
    "from 'x.csv'",
    "select * from '/etc/passwd'",
    "from glob('*')",
    "select getenv('HOME')",
    "from duckdb_settings()",
    "from duckdb_secrets()",
    "select * from journal_position",
    "select * from rejected_events",
    "from migrations",
    "from sqlite_master",
    "from information_schema.tables",
    "from pg_catalog.pg_tables",
    "from pg_tables",
    "show tables",
    "show all tables",
    "select * from query('select 1')",
    "select * from query_table('journal_position')",
    "select nextval('x')",
    "select current_setting('temp_directory')",
    "select * from (with journal_position as (select 1) select * from journal_position) a, journal_position",
    "with journal_position as (select * from journal_position) select * from journal_position",
    "with x as (insert into events select * from events returning *) select * from x",
    "select repeat('x', 1000000000)",
    "select range(1000000000)",
    "insert into events values (1)",
    "delete from events",
    "update events set type='x'",
    "create table x as select 1",
    "explain select 1",
    "explain analyze select 1",
    "begin",
    "prepare x as select 1",
    "execute x",
    "from whodid.main.events",
    "select ('x').read_text()",
    "from 'x.ndjson'",
    'with "x.ndjson" as (from "x.ndjson") from "x.ndjson"',
    "select * from python_map_function()",
    "from arrow_scan(1,2,3)",
    "select sleep_ms(10000)",
    "select (select count(*) from journal_position)",
    "select * from events where exists (select 1 from duckdb_tables)",
    "select * from events order by (select 1 from sqlite_master)",
    "vacuum",
    "checkpoint",
    "use x",
    "describe journal_position",
    "summarize 'x.csv'",
    "select write_log('x')",
    "select json_serialize_sql('x')",
    "select * from json_execute_serialized_sql('x')",
    "select error('x')",
    "select * exclude (id) from journal_position",
    "from events semi join journal_position using(receiver)",
    "select count(*) filter (where (select true from migrations)) from events",
    "select sum(1) over (order by (select 1 from migrations))",
    "select * from events limit (select 1 from migrations)",
    "from (select 1) union all from migrations",
    "values ((select 1 from migrations))",
    "select 1 having (select true from migrations)",
    "select reservoir_quantile(duration_ms, 0.5, 1000000000) from events",
    "select lpad('x', 1000000000, 'y')",
    "select format('{:>1000000000}', 1)",
    "select printf('%1000000000d', 1)",
    "select list_resize([1], 1000000000)",
    "select * from repeat('x', 1000000000)",
    "from python_arrow_scan(1, 2, 3)",
    "from events, lateral (select * from glob('*'))",
    "select unnest(getvariable('x'))",
    "from (show tables)",
    "from read_json('x.sealed')",
    "from read_ndjson_objects('/')",
    "from parquet_metadata('x')",
    "select parse_duckdb_log_message('a', 'b')",
    "from duckdb_logs",
    "select current_query()",
    "from which_secret('a', 'b')",
    "from test_all_types()",
    "from seq_scan('events')",
    "select main.getenv('x')",
    "select system.main.getenv('x')",
    "select setseed(0.5)",
    "select * from temp.information_schema.tables",
    "from (from (from (from migrations)))",
    "with a as (with b as (from migrations) from b) from a",
    "with migrations as (select 1), b as (select 1) select * from b, main.migrations",
    "select (from journal_position limit 1)",
    "select array(from journal_position)",
    "select 1 in (from migrations)",
]

GOOD_POSTGRES = [
    "select 1 from events where type = 'e' or type = 'half an e'",
    "select 'U&' as \"E\"",
    "select 1",
    "select type, count(*) from events group by 1 order by 2 desc limit 5",
    (
        "with e as (select * from whodid.events where time > now() - interval '7 day') select "
        "date_trunc('day', time) d, count(distinct \"user\") from e group by 1"
    ),
    (
        "select row_number() over (partition by \"user\" order by time), parameters->>'a' from "
        "whodid.events where type ilike '%x%' and \"user\" = $u and x = $1"
    ),
    "select * from (values (1)) v(a), generate_series(1,3) r, events limit 1",
    "with recursive a(n) as (select 1 union all select n+1 from a where n<5) select * from a",
    "select percentile_cont(0.5) within group (order by duration_ms) from events",
    "select * from events e, jsonb_each(e.parameters) p(k,v)",
    "select * from events e, lateral jsonb_array_elements(e.entities) x",
    (
        "select e.event_time at time zone 'utc', coalesce(a,b), case when a then b end, cast(a as text),"
        " a::uuid, extract(epoch from now()), to_char(now(),'YYYY') from public.events e join "
        "event_types t on t.id=e.event_type_id where e.event_time::timestamp > now() at time zone 'utc' "
        "- interval '30 day'"
    ),
    "select count(*) filter (where a) from events",
    "select string_agg(a, ',' order by a), array_agg(distinct b), bool_or(c), max(d) from events having max(d) > 1",
    "select distinct on (a) * from events",
    "select exists(select 1 from users u where u.id = any(array(select 1)))",
    "(select 1) union (select 2)",
    (
        "select lag(a) over w, regexp_replace(a,'b','c','g'), substring(a from 'x'), position('a' in b),"
        " trim(both 'x' from a), greatest(1,2), nullif(1,2), concat(a,b), a || b, left(a,3), "
        "split_part(a,'.',1), md5(a), round(x::numeric,2) from events window w as (order by a)"
    ),
    (
        "select date_part('day', a), age(a), justify_interval(b), make_interval(days => 3), "
        "current_timestamp, current_date from events"
    ),
    "select * from unnest(array[1,2]) with ordinality",
    "select description ~ '\\d+' from events",
    'select * from whodid.events where "user" = $user and time > $1',
]

FORBIDDEN_POSTGRES = [
    "copy events to '/tmp/x'",
    "copy (select 1) to program 'sh'",
    "set statement_timeout=0",
    "show all",
    "select pg_read_file('/etc/passwd')",
    "select * from pg_read_file('/etc/passwd')",
    "select pg_sleep(100)",
    "select pg_catalog.pg_sleep(1)",
    "select * from pg_sleep(1)",
    "select set_config('x','y',false)",
    "select current_setting('x')",
    "select lo_import('/etc/passwd')",
    "select dblink('x','y')",
    "select * from dblink('x','y') as t(a int)",
    "select query_to_xml('select 1',true,true,'')",
    "select * from pg_settings",
    "select * from pg_catalog.pg_authid",
    "select * from information_schema.tables",
    "select * from whodid.keys",
    "select * from journal_position",
    "select * into x from events",
    "select * from events for update",
    "with x as (delete from events returning *) select * from x",
    "insert into events values (1)",
    "delete from events",
    "update events set a=1",
    "create table x(a int)",
    "drop table events",
    "alter table events add x int",
    "do $$ begin end $$",
    "call x()",
    "explain analyze select 1",
    "begin",
    "commit",
    "vacuum",
    "listen x",
    "notify x",
    "lock table events",
    "prepare x as select 1",
    "execute x",
    "grant all on events to x",
    "select repeat('x',1000000000)",
    "select lpad('x',1000000000)",
    "select pg_terminate_backend(1)",
    "select nextval('x')",
    "select version()",
    "select pg_advisory_lock(1)",
    "select pg_ls_dir('.')",
    "select txid_current()",
    "select $x$ $x$ , pg_sleep(1)",
    'select "pg_sleep"(1)',
    "select * from (with users2 as (select 1) select * from users2) a, users2",
    "table pg_settings",
    "values ((select 1 from pg_settings))",
    "select * from rows from (pg_ls_dir('.'))",
    "select (pg_stat_file('x')).size",
    "select * from only pg_settings",
    "select 1 where (select true from pg_shadow)",
    "select pg_sleep_for('5 minutes')",
    "select currval('x')",
    "select 'a' from events order by pg_sleep(1)",
    "select * from events limit (select pg_sleep(1))",
    "select database_to_xml(true,true,'')",
    "select inet_server_addr()",
    "select has_table_privilege('x','y')",
    "fetch 1 from x",
    "declare x cursor for select 1",
    "select ts_stat('select 1')",
    "select * from ts_stat('select pg_sleep(1)')",
    "select cursor_to_xml('x',1,true,true,'')",
    "reset all",
    "load 'x'",
    "refresh materialized view x",
    "select count(*) over (order by pg_sleep(1))",
    "select array(select pg_sleep(1))",
    "select cast(pg_sleep(1) as text)",
    "merge into events using x on true when matched then delete",
    "select * from json_populate_record(null::x,'{}')",
    "select * from xmltable('x' passing y)",
    "select * from events, lateral pg_sleep(1)",
    "select format('%1000000000s','x')",
]

UNREADABLE = [
    ("duckdb", ""),
    ("duckdb", "  -- nothing"),
    ("duckdb", "select 1; select 2"),
    ("duckdb", "selec 1"),
    ("duckdb", "kill 1"),
    ("duckdb", "select 1\0"),
    ("duckdb", "select $name, $1"),
    ("postgres", ""),
    ("postgres", "select 1; select 2"),
    ("postgres", "select 1\0"),
    ("postgres", 'select U&"\\0070g_sleep"(1)'),
    ("postgres", "select 1 /* a /* b */ */, pg_sleep(1)"),
    ("postgres", "select E'\\'', pg_sleep(1)"),
    ("postgres", "select 'a', E'b'"),
    ("postgres", "select $$'$$, E'b', $$'$$"),
    ("postgres", "select 'a\\', pg_sleep(1), '"),
]


@pytest.mark.parametrize("sql", GOOD_DUCKDB)
def test_duckdb_lets_questions_through(sql: str) -> None:
    guard.check(sql, "duckdb")


@pytest.mark.parametrize("sql", GOOD_POSTGRES)
def test_postgres_lets_questions_through(sql: str) -> None:
    guard.check(sql, "postgres")


@pytest.mark.parametrize("sql", FORBIDDEN_DUCKDB)
def test_duckdb_refuses_everything_else(sql: str) -> None:
    refused_as(sql, "duckdb", "forbidden")


@pytest.mark.parametrize("sql", FORBIDDEN_POSTGRES)
def test_postgres_refuses_everything_else(sql: str) -> None:
    refused_as(sql, "postgres", "forbidden")


@pytest.mark.parametrize(("dialect", "sql"), UNREADABLE)
def test_what_is_no_single_statement_is_invalid(dialect: Dialect, sql: str) -> None:
    refused_as(sql, dialect, "invalid")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_statement_has_a_size(dialect: Dialect) -> None:
    refused_as("select '" + "x" * SQL_BYTES_MAX + "'", dialect, "too_large")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_statement_nested_beyond_reason_is_refused_and_not_a_crash(dialect: Dialect) -> None:
    with pytest.raises(WhodidError):
        guard.check("select " + "(" * 20_000 + "1" + ")" * 20_000, dialect)


def test_the_refusal_names_what_it_refuses() -> None:
    refusal = refused_as("select getenv('HOME') from events", "duckdb", "forbidden")
    assert "'getenv'" in refusal.message
    refusal = refused_as("select * from pg_authid", "postgres", "forbidden")
    assert "'pg_authid'" in refusal.message
    assert "events" in str(refusal.hint)


def refused_as(sql: str, dialect: Dialect, code: str) -> WhodidError:
    with pytest.raises(WhodidError) as refused:
        guard.check(sql, dialect)
    assert refused.value.code == code
    return refused.value
