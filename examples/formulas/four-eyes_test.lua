-- Beside the aspect, in `.beads/formulas`: gt policy test .beads/formulas/four-eyes_test.lua
local t = require "gt.test"

t.case("a risky step is planned and looked at again", function()
  local graph = t.weave {
    { id = "drop-table", labels = { "risky" }, metadata = { reviewer = "ann" } },
    { id = "ship", needs = { "drop-table" } },
  }
  t.equal(graph:added(), { "drop-table-plan", "drop-table-second-look" })
  t.equal(graph:step("drop-table").needs, { "drop-table-plan" })
  t.equal(graph:step("ship").needs, { "drop-table", "drop-table-second-look" })
  t.equal(graph:step("drop-table-second-look").description, "To be read by ann, who did not write it.")
end)

t.case("nothing else is", function() t.equal(t.weave({ { id = "tidy-up" } }):added(), {}) end)
