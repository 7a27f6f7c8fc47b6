-- How people name a segment: by its scene and position, or once it is archived by its name.

CREATE VIEW segment_places AS
SELECT g.id AS segment_id, c.name || coalesce('/' || g.position, ': ' || g.name) AS place
  FROM segments g
  JOIN scenes c ON c.id = g.scene_id;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON segment_places TO genlock_app;
    END IF;
END $$;
