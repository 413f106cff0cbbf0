-- Tests of the shipped Refinery.

local t = require "gt.test"

t.case("priority first, and age lifts what waits", function(town)
  town:mr { id = "gt-mr1", bead = { priority = 2 } }
  town:mr { id = "gt-mr2", bead = { priority = 0 } }
  town:mr { id = "gt-mr3", bead = { priority = 3 }, waiting = "2h" }
  t.equal(town:order(), { "gt-mr3", "gt-mr2", "gt-mr1" })
end)

t.case("a batch has a size, and what has failed before goes alone", function(town)
  for n = 1, 6 do
    town:mr { id = "gt-mr" .. n, attempt = n == 2 and 2 or 1 }
  end
  t.equal(town:batch(), { "gt-mr1", "gt-mr3", "gt-mr4", "gt-mr5" })
end)

t.case("what is held stays out and says why", function(town)
  town:mr { id = "gt-mr1" }
  town:mr { id = "gt-mr2", held = true }
  town:mr { id = "gt-mr3", bead = { quarantined = true } }
  t.equal(town:ask("admit", "gt-mr1"), "yes")
  t.equal(town:ask("admit", "gt-mr2"), "no: held for a person")
  t.equal(town:ask("admit", "gt-mr3"), "no: its bead is quarantined")
end)

t.case("trouble goes back to its worker, and after three times to a person", function(town)
  town:mr { id = "gt-mr1", attempt = 2, gate = "test" }
  town:mr { id = "gt-mr2", attempt = 3, gate = "test" }
  for _, question in ipairs { "on_conflict", "on_failure" } do
    t.equal(town:ask(question, "gt-mr1"), "rework")
    t.equal(town:ask(question, "gt-mr2"), "hold, escalate")
  end
  t.equal(town:ask("after_merge", "gt-mr1"), "")
end)

t.case("what waits too long is reported, once", function(town)
  town:mr { id = "gt-7", waiting = "6h30m" }
  town:run("5h")
  town:expect [[
    +2h  mail      overseer         refinery-patrol/report  Merge requests that wait: gt queue says why
    +2h  remember  gt-7             refinery-patrol/report
    +2h  digest    refinery-patrol                          1 merge requests reported that wait too long
  ]]
end)
