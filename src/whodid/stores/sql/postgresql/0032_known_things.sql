-- The tables of things that existing SQL names hold those that events mention, by what platforms call their types.
-- What somebody else wrote into them stays, but for names.
CREATE FUNCTION whodid.tell_known_things(told uuid[]) RETURNS void LANGUAGE sql AS $tell$
    WITH things AS (
        SELECT e.id, e.name, e.friendly_name, lower(t.name) AS type
        FROM public.entities e
        JOIN public.entities_types t ON t.id = e.entity_type_id
        WHERE e.id = ANY(told)
        ORDER BY e.id
    ), projects AS (
        INSERT INTO public.projects (id, name, friendly_name, is_root, is_package, is_dashboard, is_entity)
        SELECT id, name, friendly_name, TRUE, FALSE, FALSE, FALSE FROM things WHERE type = 'project'
        ON CONFLICT (id) DO UPDATE
        SET name = coalesce(excluded.name, projects.name),
            friendly_name = coalesce(excluded.friendly_name, projects.friendly_name)
    ), packages AS (
        INSERT INTO public.packages (id, name, friendly_name)
        SELECT id, name, friendly_name FROM things WHERE type = 'package'
        ON CONFLICT (id) DO UPDATE
        SET name = coalesce(excluded.name, packages.name),
            friendly_name = coalesce(excluded.friendly_name, packages.friendly_name)
    ), connections AS (
        INSERT INTO public.connections (id, name)
        SELECT id, name FROM things WHERE type IN ('connection', 'dataconnection')
        ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, connections.name)
    ), queries AS (
        INSERT INTO public.queries (id, name)
        SELECT id, name FROM things WHERE type IN ('query', 'dataquery', 'tablequery')
        ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, queries.name)
    )
    INSERT INTO public.funcs (id, name)
    SELECT id, name
    FROM things
    WHERE type IN ('function', 'func', 'script', 'query', 'dataquery', 'tablequery')
    ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, funcs.name)
$tell$;

CREATE FUNCTION whodid.tell_changed_entities() RETURNS trigger LANGUAGE plpgsql AS $tell$
BEGIN
    PERFORM whodid.tell_known_things(array_agg(id)) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END
$tell$;

CREATE TRIGGER tell_new_entities AFTER INSERT ON public.entities
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION whodid.tell_changed_entities();

CREATE TRIGGER tell_renamed_entities AFTER UPDATE ON public.entities
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION whodid.tell_changed_entities();

SELECT whodid.tell_known_things(array_agg(id)) FROM public.entities HAVING count(*) > 0;
