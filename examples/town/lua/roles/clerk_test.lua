-- ~/gt/lua/roles/clerk_test.lua : `gt policy test` runs the patrol on a virtual clock.

local t = require "gt.test"

t.case("the overseer hears once a day of what waits", function(town)
  town:bead { id = "gt-1", title = "which licence?", labels = { "needs-person" } }
  town:bead { id = "gt-2", title = "fix login" }
  town:run("30h")
  town:expect [[
    +1d  mail    overseer  morning/tell  1 beads wait for you
    +1d  digest  morning                 1 beads waited for a person
  ]]
end)

t.case("when nothing waits there is no letter", function(town)
  town:bead { id = "gt-2" }
  town:patrol("morning")
  t.equal(town:tally(), {})
end)
