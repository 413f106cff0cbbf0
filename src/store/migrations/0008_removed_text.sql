-- Where thousands of wisps go, a part of the text index is put together anew when half of its beads are gone, not at each
-- tenth. Small pages make the steps short in which parts are put together: others wait for each of them.
INSERT INTO bead_text (bead_text, rank) VALUES ('deletemerge', 50), ('pgsz', 400);
