local t = require "gt.test"

t.case("the check stands beside the work and holds nobody up", function()
  local graph = t.weave { { id = "rename", type = "feature" }, { id = "ship", needs = { "rename" }, type = "chore" } }
  t.equal(graph:added(), { "docs-check-rename" })
  t.equal(graph:step("docs-check-rename").needs, { "rename" })
  t.equal(graph:step("ship").needs, { "rename" })
end)

t.case("documentation, reviews and what writes no code are not checked", function()
  local graph = t.weave {
    { id = "manual", labels = { "docs" } },
    { id = "review", labels = { "security" } },
    { id = "announce", labels = { "no-code" } },
  }
  t.equal(graph:added(), {})
end)

t.case(
  "it is decided by what the change touches",
  function() t.equal(t.weave("shiny"):step("docs-check-implement").only_if.touches[1], "src/cli/**") end
)
