-- Tests of the ladder beside this file. Copy it along; `gt policy test` runs it.

local t = require "gt.test"

t.case("a silent worker climbs the ladder; the bead remembers, not the session", function(town)
  town:bead { id = "gt-1", title = "fix login" }
  town:worker { name = "toast", bead = "gt-1", silent = true }
  town:run("60m")
  town:expect [[
    +8m   nudge       toast  nudge-silent 1/4
    +13m  nudge       toast  nudge-silent 1/4
    +18m  restart     toast  nudge-silent 2/4  resume
    +28m  requeue     gt-1   nudge-silent 3/4
    +48m  quarantine  gt-1   nudge-silent 4/4
    +48m  escalate    gt-1   nudge-silent 4/4  high
  ]] -- toast's heir is silent too; `--accept` rewrites
end)

t.case("a commit starts the ladder again", function(town)
  local toast = town:worker { bead = town:bead {}, silent = true }
  town:run("9m")
  toast:commit("auth.rs")
  toast:falls_silent()
  town:run("9m")
  t.equal(town:tally(), { nudge = 2 })
end)

t
  .rule("witness", "nudge-silent") -- pure, no town: one fact table, one answer
  :holds { state = "silent", silent_for = "8m" }
  :fires { state = "silent", silent_for = "8m1s" }
  :holds { state = "silent", silent_for = "23m", bead = { labels = { "slow" } } }
