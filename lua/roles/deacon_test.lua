-- Tests of the shipped Deacon: its patrol comes once an hour and says nothing where there is nothing to do.

local t = require "gt.test"

t.case("what is scattered is packed, once", function(town)
  town:scatter_ledger()
  town:run("3h")
  town:expect [[
    +1h  repack  ledger         deacon-patrol/pack-ledger
    +1h  digest  deacon-patrol                             pack-ledger: repack; burn-wisps: nothing
  ]]
end)

t.case("a wisp goes when nothing has changed it for a day", function(town)
  town:wisp { idle_for = "30h" }
  town:wisp { idle_for = "22h30m" }
  town:run("1h")
  t.equal(town:tally(), { burn = 1, digest = 1 })
  town:run("1h")
  t.equal(town:tally(), { burn = 2, digest = 2 })
end)

t.case("a tidy town leaves no record", function(town)
  town:wisp()
  town:run("12h")
  town:expect ""
end)
