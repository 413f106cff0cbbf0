-- Tests of the shipped Witness; your own stand beside your layer in the same way. `gt policy test` runs them.

local t = require "gt.test"

t.case("a silent worker climbs the ladder; the bead remembers, not the session", function(town)
  town:bead { id = "gt-1", title = "fix login" }
  town:worker { name = "toast", bead = "gt-1", silent = true }
  town:run("60m")
  town:expect [[
    +5m   nudge       toast  nudge-silent 1/4
    +10m  nudge       toast  nudge-silent 1/4
    +15m  restart     toast  nudge-silent 2/4  resume
    +25m  requeue     gt-1   nudge-silent 3/4
    +45m  quarantine  gt-1   nudge-silent 4/4
    +45m  escalate    gt-1   nudge-silent 4/4  high
  ]]
end)

t.case("a commit starts the ladder again", function(town)
  local toast = town:worker { bead = town:bead {}, silent = true }
  town:run("6m")
  toast:commit("auth.rs")
  toast:falls_silent()
  town:run("6m")
  t.equal(town:tally(), { nudge = 2 })
end)

t.case("a worker that dies again and again is brought back three times and then quarantined", function(town)
  local toast = town:worker { name = "toast", bead = town:bead { id = "gt-1" } }
  for _ = 1, 5 do
    toast:dies()
    town:run("1m")
    if town:tally().quarantine then break end
  end
  t.equal(town:tally(), { restart = 3, quarantine = 1, escalate = 1 })
end)

t.case("a ready bead of a convoy that has begun goes to a worker", function(town)
  town:bead { id = "gt-1", ready = true, convoy = { active = true } }
  town:bead { id = "gt-2", ready = true, convoy = { active = false } }
  town:bead { id = "gt-3", ready = true }
  town:bead { id = "gt-4", ready = true, convoy = { active = true }, held = true }
  town:run("1h")
  town:expect [[
    +0s  sling  gt-1  feed-convoy
  ]]
end)

t
  .rule("witness", "nudge-silent") -- pure, no town: one fact table, one answer
  :holds { state = "silent", silent_for = "5m" }
  :fires { state = "silent", silent_for = "5m1s" }
  :holds { state = "working", silent_for = "2h" }

t.rule("witness", "park-limited")
  :holds { state = "limited", silent_for = "1m" }
  :fires { state = "limited", silent_for = "16m" }

t.rule("witness", "waiting-for-person")
  :fires { state = "waiting", dialog = "permission" }
  :holds { state = "waiting" }
  :holds { state = "working" }

t.case("a branch that nobody works on is reported once", function(town)
  town:bead { id = "gt-1", status = "hooked" }
  town:branch { name = "spike", ahead = 2, idle_for = "8d" }
  town:branch { name = "merged", ahead = 0, idle_for = "80d" }
  town:branch { name = "fresh", idle_for = "1d" }
  town:branch { name = "gt/toast/gt-1", idle_for = "9d", bead = "gt-1" }
  town:run("1d")
  town:expect [[
    +6h  mail      overseer        witness-patrol/report  Branches that nobody works on
    +6h  remember  town            witness-patrol/report
    +6h  digest    witness-patrol                         1 branches reported that nobody works on
  ]]
end)
