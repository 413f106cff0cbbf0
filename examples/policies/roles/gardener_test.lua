-- ~/gt/lua/roles/gardener_test.lua : patrols run on the virtual clock, too.

local t = require "gt.test"

t.case("stale branches without a bead are reported twice a day", function(town)
  town:bead { id = "gt-1" }
  town:branch { name = "old-idea", ahead = 3, idle_for = "8d" }
  town:branch { name = "gt/toast/gt-1", idle_for = "8d", bead = "gt-1" }
  town:branch { name = "yesterday", idle_for = "6d6h" }
  town:run("1d")
  town:expect [[
    +12h  mail    overseer      branch-sweep/report  Stale branches
    +12h  digest  branch-sweep                       1 stale branches reported
    +1d   mail    overseer      branch-sweep/report  Stale branches
    +1d   digest  branch-sweep                       2 stale branches reported
  ]]
end)

t.case("nothing stale, nothing said", function(town)
  town:branch { name = "today", idle_for = "2h" }
  town:patrol("branch-sweep")
  t.equal(town:tally(), {})
end)
