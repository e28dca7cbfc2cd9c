-- The project of an event as a column: every report by project would read the JSON of each event for it.

-- The one that its parameters name, else its first entity of that type. Looking for the word first is four times
-- cheaper than reading JSON that does not hold it; JSON may also write it with escapes.
CREATE MACRO project_of(told, touched) AS coalesce(
    CASE
        WHEN contains(told::VARCHAR, 'project') OR contains(told::VARCHAR, '\u')
        THEN coalesce(told ->> '/projectKey', told ->> '/project')
    END,
    CASE
        WHEN contains(touched::VARCHAR, 'project') OR contains(touched::VARCHAR, '\u')
        THEN (touched ->> '$[*].id')[list_position(touched ->> '$[*].type', 'project')]
    END
);

ALTER TABLE events ADD COLUMN project VARCHAR;
UPDATE events SET project = project_of(parameters, entities);
