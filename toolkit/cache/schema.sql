-- Format 1 of a cache's file. Vectors stand before the texts, so that reading them all does not walk through the pages
-- of long answers. Totals are kept by triggers: counting a large file at every put would take too long.
CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, partition TEXT NOT NULL, exact TEXT NOT NULL, vector BLOB NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, used REAL NOT NULL, uses INTEGER NOT NULL, bytes INTEGER NOT NULL,
    sum INTEGER NOT NULL, prompt TEXT NOT NULL, answer TEXT NOT NULL
);
CREATE UNIQUE INDEX by_key ON entries (partition, exact);
CREATE INDEX by_use ON entries (used);
CREATE INDEX by_frequency ON entries (uses, used);
CREATE INDEX by_expiry ON entries (expires);
CREATE INDEX by_age ON entries (created);
CREATE TABLE tags (
    tag TEXT, entry INTEGER REFERENCES entries ON DELETE CASCADE, PRIMARY KEY (tag, entry)
) WITHOUT ROWID;
CREATE INDEX by_entry ON tags (entry);
INSERT INTO facts VALUES ('entries', 0), ('bytes', 0), ('deletions', 0);
CREATE TRIGGER came AFTER INSERT ON entries BEGIN
    UPDATE facts SET value = value + 1 WHERE name = 'entries';
    UPDATE facts SET value = value + NEW.bytes WHERE name = 'bytes';
END;
CREATE TRIGGER went AFTER DELETE ON entries BEGIN
    UPDATE facts SET value = value - 1 WHERE name = 'entries';
    UPDATE facts SET value = value - OLD.bytes WHERE name = 'bytes';
    UPDATE facts SET value = value + 1 WHERE name = 'deletions';
END;
