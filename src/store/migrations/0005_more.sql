-- Keys of an edge or a comment that this program does not know: a JSON object, empty for none.
ALTER TABLE deps ADD COLUMN other TEXT NOT NULL DEFAULT '';
ALTER TABLE comments ADD COLUMN other TEXT NOT NULL DEFAULT '';
